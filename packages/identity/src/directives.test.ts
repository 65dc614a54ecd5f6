import { Kind, buildASTSchema, parse } from 'graphql'
import type { FieldDefinitionNode, ObjectTypeDefinitionNode } from 'graphql'
import { describe, expect, it } from 'vitest'
import {
  identityDirectiveNames,
  identityDirectives,
  readFacts,
  readOwnership,
  readRule,
  readSubject,
} from './directives.ts'

const type = (sdl: string): ObjectTypeDefinitionNode => {
  const [definition] = parse(sdl).definitions
  if (definition?.kind !== Kind.OBJECT_TYPE_DEFINITION) throw new Error('not an object type')
  return definition
}
const field = (sdl: string): FieldDefinitionNode => type(`type T { ${sdl} }`).fields![0]!

describe('identityDirectives', () => {
  it('is valid SDL that defines the directives of the specification', () => {
    const schema = buildASTSchema(parse(`${identityDirectives} type Query { a: Int @agent(access: DENY) }`))
    expect([...identityDirectiveNames].toSorted()).toEqual([
      'agent',
      'approves',
      'delegates',
      'identity',
      'notSubject',
      'owned',
      'owner',
      'public',
      'subject',
      'tool',
    ])
    for (const name of identityDirectiveNames) expect(schema.getDirective(name)).toBeDefined()
  })
})

describe('readRule', () => {
  it('reads what Federation and we define', () => {
    expect(
      readRule(
        field(
          'a: Int @authenticated @requiresScopes(scopes: [["a", "b"], ["c"]]) @policy(policies: [["p"]]) @agent(access: DENY) @delegates(agent: "assistant")',
        ),
        'mutation',
      ),
    ).toEqual({
      authenticated: true,
      scopes: [['a', 'b'], ['c']],
      policies: [['p']],
      agent: 'DENY',
      delegates: 'assistant',
      approves: false,
    })
  })

  it('asks approval for mutations and nothing else that does not say', () => {
    expect(readRule(field('a: Int'), 'mutation').agent).toBe('APPROVE')
    expect(readRule(field('a: Int'), 'query').agent).toBe('ALLOW')
    expect(readRule(field('a: Int'), null).agent).toBe('ALLOW')
    expect(readRule(field('a: Int @agent(access: ALLOW)'), 'mutation').agent).toBe('ALLOW')
    expect(readRule(field('a: Int @agent(access: APPROVE)'), 'query').agent).toBe('APPROVE')
  })

  it('asks nothing of a field that says nothing', () => {
    const open = { authenticated: false, scopes: [], policies: [], agent: 'ALLOW', delegates: null, approves: false }
    expect(readRule(field('a: Int'), 'query')).toEqual(open)
    expect(readRule({}, 'query')).toEqual(open)
    expect(readRule(field('a: Int @approves'), 'query')).toEqual({ ...open, approves: true })
    expect(
      readRule({ directives: [{ kind: Kind.DIRECTIVE, name: { kind: Kind.NAME, value: 'authenticated' } }] }, null),
    ).toEqual({ ...open, authenticated: true })
  })

  it('[P6] reads what is not valid as what nobody holds, and never as nothing', () => {
    const scopes = (value: string) => readRule(field(`a: Int @requiresScopes(scopes: ${value})`), null).scopes
    expect(scopes('[[5], ["a", 5]]')).toEqual([['5'], ['a', '5']])
    expect(scopes('[[a, null]]')).toEqual([['a', 'null']])
    expect(scopes('[null]')).toEqual([['null']])
    expect(scopes('null')).toEqual([])
  })

  it('[P8] lets an agent do nothing where its access is none that there is', () => {
    expect(readRule(field('a: Int @agent(access: ALOW)'), 'query').agent).toBe('DENY')
    expect(readRule(field('a: Int @agent(access: "ALLOW ")'), 'mutation').agent).toBe('DENY')
    expect(readRule(field('a: Int @agent'), 'query').agent).toBe('DENY')
  })

  it('reads a name as a text only', () => {
    expect(readRule(field('a: Int @delegates(agent: 5)'), 'mutation').delegates).toBeNull()
    expect(readRule(field('a: Int @delegates(agent: "5")'), 'mutation').delegates).toBe('5')
  })

  it('coerces single values to lists, as GraphQL does', () => {
    expect(readRule(field('a: Int @requiresScopes(scopes: "a")'), null).scopes).toEqual([['a']])
    expect(readRule(field('a: Int @requiresScopes(scopes: ["a", "b"])'), null).scopes).toEqual([['a'], ['b']])
  })
})

describe('readOwnership', () => {
  it.each([
    ['type T @owner(field: "id") { id: ID }', { kind: 'owner', field: 'id', claim: 'sub', unless: [] }],
    [
      'type T @owner(field: "org", claim: "tenant", unless: [["users:read"]]) { id: ID }',
      { kind: 'owner', field: 'org', claim: 'tenant', unless: [['users:read']] },
    ],
    ['type T @owned(through: "Order") { id: ID }', { kind: 'owned', through: 'Order' }],
    ['type T @owner(field: "id", unless: null) { id: ID }', { kind: 'owner', field: 'id', claim: 'sub', unless: [] }],
    ['type T @owner(field: 5, claim: 5) { id: ID }', { kind: 'owner', field: '', claim: 'sub', unless: [] }],
    ['type T @owned { id: ID }', { kind: 'owned', through: '' }],
    ['type T @public { id: ID }', { kind: 'public' }],
    ['type T { id: ID }', null],
  ])('%s', (sdl, expected) => {
    expect(readOwnership(type(sdl))).toEqual(expected)
  })
})

describe('readSubject, readFacts', () => {
  it('read claim and exceptions, and the facts of a subgraph', () => {
    expect(readSubject(field('a(id: ID @subject(unless: [["users:read"]])): Int').arguments![0]!)).toEqual({
      claim: 'sub',
      unless: [['users:read']],
    })
    expect(readSubject(field('a(id: ID @subject(claim: "tenant")): Int').arguments![0]!)).toEqual({
      claim: 'tenant',
      unless: [],
    })
    expect(readSubject(field('a(id: ID): Int').arguments![0]!)).toBeNull()
    expect(readFacts(parse('extend schema @identity(facts: ["tier", "name"]) type Query { a: Int }'))).toEqual([
      'name',
      'tier',
    ])
    expect(readFacts(parse('schema @identity(facts: "tier") { query: Query } type Query { a: Int }'))).toEqual(['tier'])
    expect(readFacts(parse('type Query { a: Int }'))).toEqual([])
    expect(readFacts(parse('type Query @identity(facts: ["tier"]) { a: Int }'))).toEqual([])
  })
})
