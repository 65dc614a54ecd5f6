import { graphql, type GraphQLSchema } from 'graphql'
import type { Principal } from '@behalf/identity'
import { beforeEach, describe, expect, it } from 'vitest'
import { buildSchema } from './build-schema.ts'
import { ada, agentOf, identityOf, links, principal } from './fixtures.ts'
import { maskError } from './mask-error.ts'
import { protectSchema } from './protect-schema.ts'
import { RequestContext } from './request-context.ts'

const typeDefs = `${links}
  type Query {
    open: String
    signedIn: String @authenticated
    reader: String @requiresScopes(scopes: [["notes:read", "profile"], ["admin"]])
    humans: String @agent(access: DENY)
    asking: String @agent(access: APPROVE)
    required: String! @authenticated
    note: Note
    tag: Tag
    shelf: Shelf
    thing: Thing
    part: Part
    byOwner(owner: ID! @subject(unless: [["users:read"]])): String
    search(where: Where): String
    inTenant(tenant: ID @subject(claim: "tenant")): String
    many(owners: [ID!] @subject): String
    deep(where: [[Where!]!]): String
  }
  type Note @key(fields: "id") @public @requiresScopes(scopes: [["notes:read"]]) { id: ID! text: String! secret: String @requiresScopes(scopes: [["notes:secret"]]) }
  type Book @key(fields: "id") @public @authenticated { id: ID! }
  type Plain @key(fields: "id") @public { id: ID! text: String }
  scalar Tag @requiresScopes(scopes: [["notes:read"]])
  interface Thing @authenticated { id: ID }
  interface Part implements Thing { id: ID label: String }
  type Shelf implements Thing & Part @public { id: ID label: String }
  input Where { owner: ID @subject and: Where or: [Where!] text: String = "any" }
  type Mutation {
    plain: String
    allowed: String @agent(access: ALLOW)
    approved: String @agent(access: APPROVE)
    denied: String @agent(access: DENY)
  }
`

let calls: string[] = []
const called = (name: string) => () => {
  calls.push(name)
  return name
}
const seen = (_parent: unknown, args: unknown) => {
  calls.push('seen')
  return JSON.stringify(args)
}
const resolvers = {
  Query: {
    open: called('open'),
    signedIn: called('signedIn'),
    reader: called('reader'),
    humans: called('humans'),
    asking: called('asking'),
    required: called('required'),
    tag: called('tag'),
    note: () => calls.push('note') && { id: '1', text: 'text', secret: 'secret' },
    shelf: () => calls.push('shelf') && { id: '1', label: 'label' },
    thing: () => calls.push('thing') && { __typename: 'Shelf', id: '1' },
    part: () => calls.push('part') && { __typename: 'Shelf', id: '1' },
    byOwner: seen,
    search: seen,
    inTenant: seen,
    many: seen,
    deep: seen,
  },
  Note: {
    __resolveReference: ({ id }: { id: string }) => calls.push('Note') && { id, text: 'text', secret: 'secret' },
  },
  Mutation: {
    plain: called('plain'),
    allowed: called('allowed'),
    approved: called('approved'),
    denied: called('denied'),
  },
}

const schema: GraphQLSchema = protectSchema(buildSchema('notes', typeDefs, resolvers))
beforeEach(() => {
  calls = []
})

const anonymous = principal('anonymous', { tenant: null, client: null })
const holding = (...scopes: string[]) => principal('usr_ada', { scopes })

async function ask(as: Principal, source: string, field?: string) {
  const operation = source.startsWith('mutation') ? 'mutation' : 'query'
  const identity = await identityOf(as, { operation, ...(field && { approval: { id: 'apr_1', field } }) })
  const contextValue = new RequestContext(
    { identity, request: '', jti: null, until: null, ticket: null },
    null,
    () => undefined,
  )
  const { data, errors = [] } = await graphql({ schema, source, contextValue })
  const masked = errors.map((error) => maskError(error.toJSON(), error))
  return { data, errors: masked.map(({ path, extensions }) => [path?.join('.'), extensions?.['code']]) }
}

describe('a field with a rule', () => {
  it.each<[string, string, Principal, string, Principal]>([
    ['signedIn', 'UNAUTHENTICATED', anonymous, '@authenticated', ada],
    ['reader', 'UNAUTHENTICATED', anonymous, '@requiresScopes', holding('admin')],
    ['reader', 'UNAUTHORIZED_FIELD_OR_TYPE', holding('notes:read'), 'both of a set', holding('notes:read', 'profile')],
    ['reader', 'UNAUTHORIZED_FIELD_OR_TYPE', holding('administrator'), 'one of the sets', holding('admin')],
    ['humans', 'AGENT_DENIED', agentOf(ada), '@agent(access: DENY)', ada],
    ['tag', 'UNAUTHORIZED_FIELD_OR_TYPE', ada, 'the rule of the scalar it returns', holding('notes:read')],
  ])(
    '%s is refused with %s to those who lack %4$s... and answered to others',
    async (field, code, refused, _what, let_in) => {
      expect(await ask(refused, `{ before: open ${field} after: open }`)).toEqual({
        data: { before: 'open', [field]: null, after: 'open' },
        errors: [[field, code]],
      })
      expect(calls).toEqual(['open', 'open'])
      expect(await ask(let_in, `{ ${field} }`)).toEqual({ data: { [field]: field }, errors: [] })
    },
  )

  it('is refused under an alias and in a fragment', async () => {
    const query = '{ open: signedIn ...F } fragment F on Query { a: humans @include(if: true) }'
    expect(await ask(agentOf(anonymous), query)).toEqual({
      data: { open: null, a: null },
      errors: [
        ['open', 'UNAUTHENTICATED'],
        ['a', 'AGENT_DENIED'],
      ],
    })
    expect(calls).toEqual([])
    expect(await ask(ada, query)).toEqual({ data: { open: 'signedIn', a: 'humans' }, errors: [] })
  })

  it('takes its parent with it where it cannot be null', async () => {
    expect(await ask(anonymous, '{ open required }')).toEqual({ data: null, errors: [['required', 'UNAUTHENTICATED']] })
  })
})

describe('a type with a rule', () => {
  it('is not looked up for those who lack it', async () => {
    expect(await ask(ada, '{ open note { id } }')).toEqual({
      data: { open: 'open', note: null },
      errors: [['note', 'UNAUTHORIZED_FIELD_OR_TYPE']],
    })
    expect(calls).toEqual(['open'])
    expect(await ask(holding('notes:read'), '{ note { id } }')).toEqual({ data: { note: { id: '1' } }, errors: [] })
  })

  it('does not replace the rules of its fields', async () => {
    expect(await ask(holding('notes:read'), '{ note { text secret } }')).toEqual({
      data: { note: { text: 'text', secret: null } },
      errors: [['note.secret', 'UNAUTHORIZED_FIELD_OR_TYPE']],
    })
  })

  const entities = (type: string) =>
    `{ _entities(representations: [{ __typename: "${type}", id: "1" }, { __typename: "Plain", id: "2" }]) { ... on ${type} { id } ... on Plain { id } } }`

  it('is protected as an entity, and its neighbours are answered', async () => {
    expect(await ask(ada, entities('Note'))).toEqual({
      data: { _entities: [null, { id: '2' }] },
      errors: [['_entities.0', 'UNAUTHORIZED_FIELD_OR_TYPE']],
    })
    expect(calls).toEqual([])
    expect(await ask(holding('notes:read'), entities('Note'))).toEqual({
      data: { _entities: [{ id: '1' }, { id: '2' }] },
      errors: [],
    })
  })

  it('is protected as an entity that nothing looks up', async () => {
    expect(await ask(anonymous, entities('Book'))).toEqual({
      data: { _entities: [null, { id: '2' }] },
      errors: [['_entities.0.id', 'UNAUTHENTICATED']],
    })
    expect(await ask(ada, entities('Book'))).toEqual({ data: { _entities: [{ id: '1' }, { id: '2' }] }, errors: [] })
  })

  it('passes its rule on from an interface', async () => {
    expect(await ask(anonymous, '{ shelf { label } thing { id } part { id } }')).toEqual({
      data: { shelf: null, thing: null, part: null },
      errors: [
        ['shelf', 'UNAUTHENTICATED'],
        ['thing', 'UNAUTHENTICATED'],
        ['part', 'UNAUTHENTICATED'],
      ],
    })
    expect(calls).toEqual([])
    expect(await ask(ada, '{ shelf { label } thing { id } }')).toEqual({
      data: { shelf: { label: 'label' }, thing: { id: '1' } },
      errors: [],
    })
  })
})

describe('a mutation by an agent', () => {
  it('needs the approval of exactly that field, unless it is allowed', async () => {
    const agent = agentOf(ada)
    const all = 'mutation { plain allowed approved denied }'
    expect(await ask(agent, all)).toEqual({
      data: { plain: null, allowed: 'allowed', approved: null, denied: null },
      errors: [
        ['plain', 'APPROVAL_REQUIRED'],
        ['approved', 'APPROVAL_REQUIRED'],
        ['denied', 'AGENT_DENIED'],
      ],
    })
    expect(calls).toEqual(['allowed'])
    expect((await ask(agent, all, 'plain')).data).toEqual({
      plain: 'plain',
      allowed: 'allowed',
      approved: null,
      denied: null,
    })
    expect((await ask(agent, all, 'approved')).data).toEqual({
      plain: null,
      allowed: 'allowed',
      approved: 'approved',
      denied: null,
    })
    expect((await ask(agent, all, 'denied')).data).toMatchObject({ denied: null })
    expect(await ask(ada, all)).toEqual({
      data: { plain: 'plain', allowed: 'allowed', approved: 'approved', denied: 'denied' },
      errors: [],
    })
  })

  it('is all that can be approved', async () => {
    expect((await ask(agentOf(ada), '{ asking }', 'asking')).errors).toEqual([['asking', 'APPROVAL_REQUIRED']])
    expect((await ask(ada, '{ asking }')).data).toEqual({ asking: 'asking' })
  })

  it('is not approved by an alias', async () => {
    expect((await ask(agentOf(ada), 'mutation { approved: plain }', 'approved')).errors).toEqual([
      ['approved', 'APPROVAL_REQUIRED'],
    ])
  })
})

describe('@subject', () => {
  const support = holding('users:read')
  const answered = (field: string, args: object) => ({ data: { [field]: JSON.stringify(args) }, errors: [] })
  const refused = (field: string) => ({ data: { [field]: null }, errors: [[field, 'UNAUTHORIZED_FIELD_OR_TYPE']] })

  it('lets the caller name themselves, and a human with a scope others', async () => {
    expect(await ask(ada, '{ byOwner(owner: "usr_ada") }')).toEqual(answered('byOwner', { owner: 'usr_ada' }))
    expect(await ask(agentOf(ada), '{ byOwner(owner: "usr_ada") }')).toEqual(answered('byOwner', { owner: 'usr_ada' }))
    expect(await ask(support, '{ byOwner(owner: "usr_ben") }')).toEqual(answered('byOwner', { owner: 'usr_ben' }))
    calls = []
    expect(await ask(ada, '{ byOwner(owner: "usr_ben") }')).toEqual(refused('byOwner'))
    expect(await ask(agentOf(support), '{ byOwner(owner: "usr_ben") }')).toEqual(refused('byOwner'))
    expect(await ask(anonymous, '{ byOwner(owner: "anonymous") }')).toEqual(refused('byOwner'))
    expect(calls).toEqual([])
  })

  it('fills in the caller', async () => {
    expect(await ask(ada, '{ inTenant }')).toEqual(answered('inTenant', { tenant: 'acme' }))
    expect(await ask(ada, '{ inTenant(tenant: "globex") }')).toEqual(refused('inTenant'))
    expect(await ask(ada, '{ inTenant(tenant: null) }')).toEqual(refused('inTenant'))
    expect(await ask(anonymous, '{ inTenant }')).toEqual(refused('inTenant'))
    expect(await ask(ada, '{ many }')).toEqual(answered('many', { owners: ['usr_ada'] }))
  })

  it('holds for every item of a list', async () => {
    expect(await ask(ada, '{ many(owners: ["usr_ada", "usr_ada"]) }')).toEqual(
      answered('many', { owners: ['usr_ada', 'usr_ada'] }),
    )
    expect(await ask(ada, '{ many(owners: ["usr_ada", "usr_ben"]) }')).toEqual(refused('many'))
    expect(await ask(ada, '{ many(owners: []) }')).toEqual(refused('many'))
  })

  it('holds in inputs, nested and in lists', async () => {
    expect(await ask(ada, '{ search }')).toEqual(answered('search', {}))
    expect(await ask(ada, '{ search(where: { text: "a" }) }')).toEqual(
      answered('search', { where: { text: 'a', owner: 'usr_ada' } }),
    )
    expect(await ask(ada, '{ search(where: { and: { or: [{ owner: "usr_ada" }] } }) }')).toMatchObject({ errors: [] })
    for (const where of [
      '{ owner: "usr_ben" }',
      '{ and: { owner: "usr_ben" } }',
      '{ or: [{}, { owner: "usr_ben" }] }',
      '{ and: { or: { and: { owner: null } } } }',
    ]) {
      calls = []
      expect(await ask(ada, `{ search(where: ${where}) }`)).toEqual(refused('search'))
      expect(await ask(ada, `{ deep(where: [[${where}]]) }`)).toEqual(refused('deep'))
      expect(calls).toEqual([])
    }
    expect(await ask(ada, '{ deep(where: [[{ owner: "usr_ada" }]]) }')).toMatchObject({ errors: [] })
  })
})

describe('what an interface says names a subject', () => {
  const f = (_parent: unknown, args: unknown) => JSON.stringify(args)
  const implementing = (argument: string) =>
    protectSchema(
      buildSchema(
        'notes',
        `${links} interface N { f(${argument}): String } type T implements N @public { f(x: ID): String } type Query { t: T }`,
        { Query: { t: () => ({}) }, T: { f } },
      ),
    )
  const ask = async (schema: GraphQLSchema, source: string) => {
    const identity = await identityOf(ada, {})
    const contextValue = new RequestContext(
      { identity, request: '', jti: null, until: null, ticket: null },
      null,
      () => undefined,
    )
    const { data, errors } = await graphql({ schema, source, contextValue })
    return [JSON.parse(JSON.stringify(data)), errors?.length]
  }

  it('is bound on the objects that implement it', async () => {
    expect(await ask(implementing('x: ID @subject'), '{ t { f(x: "usr_ben") } }')).toEqual([{ t: { f: null } }, 1])
    expect(await ask(implementing('x: ID @subject'), '{ t { f } }')).toEqual([
      { t: { f: '{"x":"usr_ada"}' } },
      undefined,
    ])
    expect(await ask(implementing('x: ID'), '{ t { f(x: "usr_ben") } }')).toEqual([
      { t: { f: '{"x":"usr_ben"}' } },
      undefined,
    ])
  })
})

it('looks at each input type once, however they contain each other', () => {
  const names = Array.from({ length: 30 }, (_, index) => `I${index}`)
  const inputs = names.map(
    (name) => `input ${name} { ${names.map((inner) => `${inner}: ${inner}`).join(' ')} o: ID @subject }`,
  )
  expect(() =>
    protectSchema(buildSchema('notes', `${links} ${inputs.join(' ')} type Query { a(x: I0): String }`, {})),
  ).not.toThrow()
})

it('costs nothing where there is no rule', () => {
  const resolveOf = (of: GraphQLSchema, type: string, field: string) => {
    const fields = of.getTypeMap()[type]
    return fields && 'getFields' in fields ? (fields.getFields()[field] as { resolve?: unknown }).resolve : null
  }
  expect(resolveOf(schema, 'Query', 'open')).toBe(resolvers.Query.open)
  expect(resolveOf(schema, 'Plain', 'text')).toBeUndefined()
  expect(resolveOf(schema, 'Query', 'signedIn')).not.toBe(resolvers.Query.signedIn)
})

describe('a schema that would protect nothing', () => {
  const build =
    (sdl: string, of: object = {}) =>
    () =>
      protectSchema(buildSchema('notes', sdl, of as typeof resolvers))
  const federation = (imports: string) =>
    `extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ${imports}) `

  it.each([
    [
      'a rule under its prefix',
      `${links} type Query { a: String @federation__policy(policies: [["p"]]) }`,
      'Import @policy',
    ],
    [
      'a renamed rule',
      `${federation('["@key", { name: "@authenticated", as: "@login" }]')} type Query { a: String @login }`,
      '"as" in @link',
    ],
    [
      'policies that nobody gave',
      `${federation('["@policy"]')} type Query { a: String @policy(policies: [["q", "p"], ["toString"]]) }`,
      'names the policies "p", "q", "toString", which nobody gave. Give createSubgraph a function for each',
    ],
    [
      'no policies',
      `${federation('["@policy"]')} type Query { a: String @policy(policies: [[]]) }`,
      'empty list of policies',
    ],
    ['no scopes', `${links} type Query { a: String @requiresScopes(scopes: []) }`, 'empty list of scopes'],
    [
      'an empty set of scopes',
      `${links} type Query { a: String @requiresScopes(scopes: [["a"], []]) }`,
      'empty list of scopes',
    ],
    [
      'a subject that is not a claim',
      `${links} type Query { a(b: ID @subject(claim: "email")): String }`,
      'neither "sub" nor "tenant"',
    ],
    [
      'a subject that is not a claim, in an input',
      `${links} input I { b: ID @subject(claim: "email") } type Query { a(i: I): String }`,
      'neither "sub" nor "tenant"',
    ],
    [
      'an access that there is not',
      `${links} type Query { a: String @agent(access: DENIED) }`,
      'Argument "access" has invalid value DENIED',
    ],
    [
      'a definition of its own for a rule of ours',
      `${links} directive @agent(mode: String) on FIELD_DEFINITION type Query { a: String @agent(mode: "DENY") }`,
      'Import @agent',
    ],
    [
      "a definition of its own for a rule of Federation's",
      `${federation('["@key"]')} directive @requiresScopes(any: String) on FIELD_DEFINITION type Query { a: String @requiresScopes(any: "a") }`,
      'Import @requiresScopes',
    ],
    ['an unknown directive', `${links} type Query { a: String @authentication }`, 'Unknown directive'],
  ])('does not start with %s', (_what, sdl, message) => {
    expect(build(sdl)).toThrow(message)
  })

  it('starts otherwise, with resolvers of what it has', () => {
    const sdl = `${links} type Query { a: String @requiresScopes(scopes: [["a"]]) }`
    expect(build(sdl, { Query: { a: () => 'a' } })).not.toThrow()
    expect(build(sdl, { Query: { b: () => 'b' } })).toThrow('a resolver of Query.b')
    const own = `${links} directive @menu(import: [Item!]) on FIELD_DEFINITION input Item { as: String }
      type Query { a: String @menu(import: [{ as: "b" }]) }`
    expect(build(own)).not.toThrow()
    expect(build(`${federation('[{ name: "@key" }]')} type Query { a: String }`)).not.toThrow()
    const again = `${links} enum identity__AgentAccess { ALLOW APPROVE DENY } type Query { a: String @agent(access: DENY) }`
    expect(build(again)).not.toThrow()
    expect(build(sdl, { Mutation: { b: () => 'b' } })).toThrow('resolvers of Mutation')
  })
})
