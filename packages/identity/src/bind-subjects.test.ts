import { buildSchema } from 'graphql'
import { describe, expect, it } from 'vitest'
import { createSubjectBinders, type SubjectRule } from './bind-subjects.ts'
import { readSubject } from './directives.ts'
import { ada, agentOfAda } from './fixtures.ts'
import { anonymousSubject, type Caller } from './principal.ts'

const schema = buildSchema(
  `directive @subject(claim: String! = "sub", unless: [[String!]!]) on ARGUMENT_DEFINITION | INPUT_FIELD_DEFINITION
   type Query {
     user(id: ID @subject(unless: [["users:read"]])): Int
     tenant(of: ID @subject(claim: "tenant")): Int
     many(ids: [[ID]] @subject): Int
     search(where: Where, all: [[Where!]]): Int
     plain(id: ID, other: Other): Int
     cyclic(a: A): Int
   }
   input Where { owner: ID @subject and: Where or: [Where] text: String }
   input Other { id: ID other: Other }
   input A { b: B } input B { a: A owner: ID @subject }`,
)
const binderOf = createSubjectBinders(schema, (_coordinate, { astNode }) => {
  const subject = astNode ? readSubject(astNode) : null
  return subject ? [subject] : []
})
const inputsOf = (field: string) => {
  const { args = [] } = schema.getQueryType()?.getFields()[field] ?? {}
  return {
    coordinateOf: (argument: string) => `Query.${field}(${argument}:)`,
    inputs: Object.fromEntries(args.map((argument) => [argument.name, argument])),
  }
}
function bind(field: string, values: Record<string, unknown>, caller: Caller = ada) {
  const bound = binderOf([inputsOf(field)])?.(values, caller)
  return bound && ('values' in bound ? bound.values : bound.refusal.code)
}

const own = ada.subject
const support: Caller = { ...ada, scopes: ['users:read'] }
const nobody: Caller = { ...ada, subject: anonymousSubject, tenant: null, scopes: [] }
const refused = 'UNAUTHORIZED_FIELD_OR_TYPE'

describe('[P6] what @subject lets through', () => {
  it.each<[string, string, Record<string, unknown>, Caller, unknown]>([
    ['the caller', 'user', { id: own }, ada, { id: own }],
    ['the caller, for whom an agent acts', 'user', { id: own }, agentOfAda, { id: own }],
    ['nothing, filled in', 'user', {}, ada, { id: own }],
    ['nothing, with nobody to fill in', 'user', {}, nobody, refused],
    ['nothing, though others may be named', 'user', {}, { ...nobody, scopes: ['users:read'] }, refused],
    ['nobody by name', 'user', { id: anonymousSubject }, nobody, refused],
    ['null', 'user', { id: null }, ada, refused],
    ['somebody else', 'user', { id: 'usr_ben' }, ada, refused],
    ['somebody else, with a scope', 'user', { id: 'usr_ben' }, support, { id: 'usr_ben' }],
    ['somebody else, by an agent', 'user', { id: 'usr_ben' }, { ...agentOfAda, scopes: ['users:read'] }, refused],
    ['the tenant', 'tenant', { of: 'acme' }, ada, { of: 'acme' }],
    ['no tenant, filled in', 'tenant', {}, ada, { of: 'acme' }],
    ['no tenant of nobody', 'tenant', {}, nobody, refused],
    ['another tenant', 'tenant', { of: 'globex' }, support, refused],
    ['a list of the caller', 'many', { ids: [[own], [own]] }, ada, { ids: [[own], [own]] }],
    ['a list, filled in', 'many', {}, ada, { ids: [[own]] }],
    ['a list with somebody else', 'many', { ids: [[own], ['usr_ben']] }, ada, refused],
    ['an empty list', 'many', { ids: [[]] }, ada, refused],
    ['no input', 'search', { where: null }, ada, { where: null }],
    [
      'an input, filled in',
      'search',
      { where: { or: [{}, null] } },
      ada,
      { where: { owner: own, or: [{ owner: own }, null] } },
    ],
    ['a list of inputs, filled in', 'search', { all: [[{}]] }, ada, { all: [[{ owner: own }]] }],
    [
      'somebody else, deep inside',
      'search',
      { where: { owner: own, and: { or: [{ owner: 'usr_ben' }] } } },
      ada,
      refused,
    ],
    ['somebody else, in a list', 'search', { all: [[{ owner: 'usr_ben' }]] }, ada, refused],
    [
      'an input that contains itself',
      'cyclic',
      { a: { b: { a: { b: {} } } } },
      ada,
      { a: { b: { owner: own, a: { b: { owner: own } } } } },
    ],
  ])('%s', (_name, field, values, caller, expected) => {
    const before = JSON.stringify(values)
    expect(bind(field, values, caller)).toEqual(expected)
    expect(JSON.stringify(values)).toBe(before)
  })

  it('is no matter of fields whose inputs name nobody', () => {
    expect(binderOf([inputsOf('plain')])).toBeNull()
    expect(binderOf([])).toBeNull()
  })

  it('is what all say who say something', () => {
    const rules: SubjectRule[] = [
      { claim: 'sub', unless: [['a']] },
      { claim: 'sub', unless: [['b']] },
    ]
    const both = createSubjectBinders(schema, (coordinate) => (coordinate === 'Query.plain(id:)' ? rules : []))
    const by = (...scopes: string[]) => both([inputsOf('plain')])?.({ id: 'usr_ben' }, { ...ada, scopes })
    expect(by('a')).toHaveProperty('refusal.rule', '@subject(claim: "sub", unless: [["b"]])')
    expect(by('b')).toHaveProperty('refusal.message', '"id" can only name the caller.')
    expect(by('a', 'b')).toEqual({ values: { id: 'usr_ben' } })
    const declared = binderOf([inputsOf('plain'), { ...inputsOf('user') }])
    expect(declared?.({ id: 'usr_ben' }, ada)).toHaveProperty('refusal')
  })

  it('names a claim that there is', () => {
    const unknown = createSubjectBinders(schema, (coordinate) =>
      coordinate === 'Query.plain(id:)' ? [{ claim: 'email', unless: [] }] : [],
    )
    expect(() => unknown([inputsOf('plain')])).toThrow('@subject(claim: "email") is neither "sub" nor "tenant".')
  })
})
