import type { Policies, PolicyRequest, Principal } from '@behalf/identity'
import { graphql, type GraphQLSchema } from 'graphql'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { buildSchema } from './build-schema.ts'
import { createSubgraph, type ListeningSubgraph } from './create-subgraph.ts'
import {
  ada,
  agentOf,
  contextKeys,
  identityOf,
  links,
  logBook,
  principal,
  receiver,
  run,
  trustDomain,
} from './fixtures.ts'
import { maskError } from './mask-error.ts'
import { protectSchema } from './protect-schema.ts'
import { RequestContext } from './request-context.ts'

const typeDefs = `${links.replace('"@authenticated"', '"@authenticated", "@policy"')}
  type Query {
    open: String
    limited(amount: Int = 1, owner: ID @subject): String @policy(policies: [["small"], ["trusted", "later"]])
    required(to: ID!): String! @policy(policies: [["no"]])
    scoped: String @requiresScopes(scopes: [["s"]]) @policy(policies: [["small"]])
    fresh: String @policy(policies: [["fresh"]])
    broken: String @policy(policies: [["broken"]])
    notes: [Note]
    kind(kind: Kind): Kind
    thing: Thing
  }
  type Note @key(fields: "id") @public @policy(policies: [["reader"]]) { id: ID! text: String tag(name: String): String @policy(policies: [["small"]]) }
  type Plain @key(fields: "id") @public { id: ID! }
  enum Kind @policy(policies: [["reader"]]) { A }
  interface Thing { tag(name: String): String @policy(policies: [["small"]]) }
  type Shelf implements Thing @public { tag(name: String): String }
`

const asked: string[] = []
const called: string[] = []
const record = ({ coordinate, arguments: given }: PolicyRequest) => asked.push(`${coordinate} ${JSON.stringify(given)}`)
const policies: Policies = {
  small: (request) => record(request) > 0 && Number(request.arguments['amount'] ?? 0) < 100,
  trusted: ({ caller: { facts } }) => facts['tier'] === 'premium',
  later: async () => true,
  no: () => false,
  fresh: ({ caller: { authTime } }) => (authTime !== null && authTime > 1000) || { maxAge: 60 },
  broken: () => Promise.reject(new Error('connect ECONNREFUSED 10.0.0.7')),
  reader: (request) => record(request) > 0 && request.caller.scopes.includes('notes:read'),
}
const seen = (name: string) => (_parent: unknown, given: object) => called.push(name) && JSON.stringify(given)
const resolvers = {
  Query: {
    open: () => 'open',
    limited: seen('limited'),
    required: seen('required'),
    scoped: seen('scoped'),
    fresh: seen('fresh'),
    broken: seen('broken'),
    notes: () =>
      called.push('notes') && [
        { id: '1', text: 'a' },
        { id: '2', text: 'b' },
      ],
    kind: () => 'A',
    thing: () => ({ __typename: 'Shelf' }),
  },
  Note: {
    __resolveReference: ({ id }: { id: string }) => called.push('Note') && { id, text: 'text' },
    tag: seen('tag'),
  },
  Shelf: { tag: seen('tag') },
}
const schema: GraphQLSchema = protectSchema(buildSchema(receiver, typeDefs, resolvers, policies), policies)
beforeEach(() => {
  asked.length = 0
  called.length = 0
})

const holding = (...scopes: string[]) => principal('usr_ada', { scopes })
const premium = principal('usr_ada', { facts: { tier: 'premium' } })

async function ask(as: Principal, source: string) {
  const identity = await identityOf(as)
  const verified = { identity, request: '', jti: null, until: null, ticket: null }
  const contextValue = new RequestContext(verified, null, () => undefined)
  const { data, errors = [] } = await graphql({ schema, source, contextValue })
  const masked = errors.map((error) => maskError(error.toJSON(), error))
  return { data, errors: masked.map(({ path, extensions }) => [path?.join('.'), extensions?.['code']]) }
}
const denied = 'UNAUTHORIZED_FIELD_OR_TYPE'

describe('[P6] @policy in a subgraph, whatever the gateway decided', () => {
  it('decides by coerced arguments, each alias by itself, before the resolver is asked', async () => {
    expect(await ask(ada, '{ open a: limited b: limited(amount: 100) c: limited(amount: 99) }')).toEqual({
      data: { open: 'open', a: '{"amount":1,"owner":"usr_ada"}', b: null, c: '{"amount":99,"owner":"usr_ada"}' },
      errors: [['b', denied]],
    })
    expect(called).toEqual(['limited', 'limited'])
    expect(asked).toContain('Query.limited {"amount":100,"owner":"usr_ada"}')
    expect(await ask(premium, '{ limited(amount: 100) }')).toMatchObject({ errors: [] })
  })

  it('knows who calls: their facts, and who acts for them', async () => {
    const byActor = { p: ({ caller: { actor } }: PolicyRequest) => actor === null }
    const sdl = typeDefs
      .replaceAll(/@policy\(policies: [^)]*\)/g, '')
      .replace('open: String', 'open: String @policy(policies: [["p"]])')
    const own = protectSchema(buildSchema(receiver, sdl, resolvers, byActor), byActor)
    for (const [as, errors] of [
      [ada, undefined],
      [agentOf(ada), 1],
    ] as const) {
      const verified = { identity: await identityOf(as), request: '', jti: null, until: null, ticket: null }
      const result = await graphql({
        schema: own,
        source: '{ open }',
        contextValue: new RequestContext(verified, null, () => undefined),
      })
      expect(result.errors?.length).toBe(errors)
    }
  })

  it('is not asked where another rule refuses', async () => {
    expect(await ask(ada, '{ scoped limited(owner: "usr_ben") }')).toEqual({
      data: { scoped: null, limited: null },
      errors: [
        ['scoped', denied],
        ['limited', denied],
      ],
    })
    expect(asked).toEqual([])
    expect(await ask(holding('s'), '{ scoped }')).toMatchObject({ errors: [] })
  })

  it('takes its parent with it where it cannot be null', async () => {
    expect(await ask(ada, '{ open required(to: "a") }')).toEqual({ data: null, errors: [['required', denied]] })
    expect(called).toEqual([])
  })

  it('of an interface holds for what implements it', async () => {
    expect(await ask(ada, '{ thing { tag(name: "x") } }')).toMatchObject({ errors: [] })
    expect(asked).toEqual(['Thing.tag {"name":"x"}'])
  })

  it('of a type is decided once for a request, wherever an object of it comes from', async () => {
    const entities = `{ _entities(representations: [{ __typename: "Note", id: "1" }, { __typename: "Plain", id: "2" }, { __typename: "Note", id: "3" }])
      { ... on Note { id text } ... on Plain { id } } }`
    expect(await ask(ada, `{ open notes { id } kind(kind: A) }`)).toMatchObject({
      data: { open: 'open', notes: null, kind: null },
      errors: [
        ['notes', denied],
        ['kind', denied],
      ],
    })
    expect(await ask(ada, entities)).toEqual({
      data: { _entities: [null, { id: '2' }, null] },
      errors: [
        ['_entities.0', denied],
        ['_entities.2', denied],
      ],
    })
    expect(called).toEqual([])
    asked.length = 0
    expect(await ask(holding('notes:read'), '{ notes { id text tag } kind }')).toMatchObject({ errors: [] })
    expect((await ask(holding('notes:read'), entities)).data).toMatchObject({
      _entities: [{ id: '1' }, { id: '2' }, { id: '3' }],
    })
    expect(asked.toSorted()).toEqual(['Kind {}', 'Note {}', 'Note {}', 'Note.tag {}'])
  })
})

describe('[P6] a subgraph on its own', () => {
  let subgraph: ListeningSubgraph
  const log = logBook()
  beforeAll(async () => {
    const options = { name: receiver, typeDefs, resolvers, policies, contextKeys, trustDomain, log }
    subgraph = await createSubgraph(options).listen({ port: 0 })
  })
  afterAll(() => subgraph.close())

  it('refuses a valid context token without the scope, and names the scope', async () => {
    const answer = await run(subgraph.url, '{ open scoped }', { as: ada })
    expect(answer.json).toEqual({
      data: { open: 'open', scoped: null },
      errors: [
        {
          message: 'Needs the scope s.',
          path: ['scoped'],
          locations: expect.any(Array),
          extensions: { code: denied, requiredScopes: [['s']] },
        },
      ],
    })
    expect((await run(subgraph.url, '{ scoped }', { as: holding('s') })).json.errors).toBeUndefined()
  })

  it('says how to sign in', async () => {
    const { json } = await run(subgraph.url, '{ fresh }', { as: ada })
    expect(json.errors).toMatchObject([{ extensions: { code: 'STEP_UP_REQUIRED', maxAge: 60 } }])
    const fresh = principal('usr_ada', { authTime: 1_763_856_000 })
    expect((await run(subgraph.url, '{ fresh }', { as: fresh })).json).toEqual({ data: { fresh: '{}' } })
  })

  it('keeps to its log why a policy could not be decided', async () => {
    const { text, json } = await run(subgraph.url, '{ broken }', { as: ada })
    expect(json.errors).toMatchObject([{ message: 'You may not see or do this.', extensions: { code: denied } }])
    expect(text).not.toContain('10.0.0.7')
    expect(log.lines.find(({ msg }) => msg === 'field refused')).toBeDefined()
    expect(JSON.stringify(log.lines)).toContain('policy \\"broken\\" of Query.broken failed')
  })

  it('does not start without a policy that its schema names', () => {
    const { broken: _broken, ...others } = policies
    const start = (given: Policies) => () =>
      createSubgraph({ name: receiver, typeDefs, resolvers, policies: given, contextKeys, trustDomain })
    expect(start(others)).toThrow('The schema names the policy "broken", which nobody gave. Give createSubgraph')
    expect(start({})).toThrow('"broken", "fresh", "later", "no", "reader", "small", "trusted"')
    expect(start(policies)).not.toThrow()
  })
})
