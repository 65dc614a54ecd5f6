import { describe, expect, it } from 'vitest'
import { rule } from '../fixtures/rule.ts'
import { agent, graphOf, nobody, person } from './fixtures.ts'

const own = { claim: 'sub', unless: [] }
const ofSupport = { claim: 'sub', unless: [['users:read', 'support'], ['admin']] }
const echo = (given: object) => JSON.stringify(given)
const graph = graphOf(
  `type Query { user(id: ID): String, byTenant(tenant: String): String, many(ids: [[ID]]): String, search(where: Where, text: String): String,
     deep(where: [[Where!]]!): String, item: Item, defaulted(id: ID! = "usr_ben"): String, both(id: ID): String, open: Int }
   type Mutation { transfer(input: Transfer!): String }
   type Item { of(user: ID!): String }
   input Transfer { userId: ID, amount: Int = 1, via: [Transfer!] }
   input Where { owner: ID = "usr_ada", and: Where, or: [Where!], text: String }`,
  {
    'Mutation.transfer': rule(),
  },
  {
    ...Object.fromEntries(
      ['user', 'byTenant', 'many', 'search', 'deep', 'defaulted', 'both'].map((name) => [name, echo]),
    ),
    transfer: echo,
    item: { of: echo },
    open: 1,
  },
  {
    subjects: {
      'Query.user(id:)': [ofSupport],
      'Query.byTenant(tenant:)': [{ claim: 'tenant', unless: [] }],
      'Query.many(ids:)': [own],
      'Query.defaulted(id:)': [own],
      'Query.both(id:)': [
        { claim: 'sub', unless: [['a']] },
        { claim: 'sub', unless: [['b']] },
      ],
      'Item.of(user:)': [own],
      'Transfer.userId': [own],
      'Where.owner': [ofSupport],
    },
  },
)
const refused = (path: string) => ({ executed: null, errors: [`${path} UNAUTHORIZED_FIELD_OR_TYPE`] })
const support = person('users:read', 'support')

describe('[P6] an argument that names a principal', () => {
  it('is the caller, or nothing of it is executed', async () => {
    expect(await graph.ask(person(), '{ open user(id: "usr_ada") }')).toMatchObject({
      executed: '{ open user(id: "usr_ada") }',
      errors: [],
    })
    expect(await graph.ask(person(), '{ open user(id: "usr_ben") }')).toEqual({
      executed: '{ open }',
      data: { open: 1, user: null },
      errors: ['user UNAUTHORIZED_FIELD_OR_TYPE'],
    })
    const authorization = await graph.authorize(person(), '{ user(id: "usr_ben") }')
    expect(authorization?.denials).toMatchObject([
      {
        path: ['user'],
        rule: '@subject(claim: "sub", unless: [["users:read", "support"], ["admin"]])',
        message: '"id" can only name the caller.',
      },
    ])
  })

  it('may be left out, where there is a caller to fill it with', async () => {
    expect(await graph.ask(person(), '{ user }')).toMatchObject({ executed: '{ user }', errors: [] })
    expect(await graph.ask(nobody, '{ user }')).toMatchObject(refused('user'))
    expect(await graph.ask(nobody, '{ user(id: "anonymous") }')).toMatchObject(refused('user'))
    expect(await graph.ask(person(), '{ user(id: null) }')).toMatchObject(refused('user'))
  })

  it('is another with `unless`, for people only', async () => {
    const query = '{ user(id: "usr_ben") }'
    for (const principal of [support, person('admin')])
      expect(await graph.ask(principal, query)).toMatchObject({ executed: query, errors: [] })
    for (const principal of [person('users:read'), agent('users:read', 'support'), agent('admin'), nobody])
      expect(await graph.ask(principal, query)).toMatchObject(refused('user'))
    expect(await graph.ask(agent(), '{ user(id: "usr_ada") }')).toMatchObject({ errors: [] })
  })

  it('is held to what every subgraph says of it', async () => {
    const query = '{ both(id: "usr_ben") }'
    for (const scope of ['a', 'b']) expect(await graph.ask(person(scope), query)).toMatchObject(refused('both'))
    expect(await graph.ask(person('a', 'b'), query)).toMatchObject({ errors: [] })
  })

  it('may be a tenant', async () => {
    const query = 'query ($t: String) { byTenant(tenant: $t) }'
    const ask = (t?: string) => graph.ask(person(), query, { variables: t === undefined ? {} : { t } })
    expect(await ask('acme')).toMatchObject({ errors: [] })
    expect(await ask()).toMatchObject({ errors: [] })
    expect(await ask('globex')).toMatchObject(refused('byTenant'))
  })

  it('is decided by the value that arrives: by variable, default or literal, each request anew', async () => {
    const query = 'query ($id: ID = "usr_ben") { user(id: $id) }'
    const ask = async (variables: Record<string, unknown>) => (await graph.ask(person(), query, { variables })).errors
    expect(await ask({ id: 'usr_ada' })).toEqual([])
    expect(await ask({})).toEqual(['user UNAUTHORIZED_FIELD_OR_TYPE'])
    expect(await ask({ id: 'usr_ben' })).toEqual(['user UNAUTHORIZED_FIELD_OR_TYPE'])
    expect(await ask({ id: 'usr_ada' })).toEqual([])
    expect(await graph.ask(person(), '{ defaulted }')).toMatchObject(refused('defaulted'))
    expect(await graph.ask(person(), '{ defaulted(id: "usr_ada") }')).toMatchObject({ errors: [] })
  })

  it('holds for every item of a list, and an empty list names nobody', async () => {
    for (const ids of ['["usr_ada"]', '[["usr_ada"], ["usr_ada"]]', '"usr_ada"'])
      expect(await graph.ask(person(), `{ many(ids: ${ids}) }`)).toMatchObject({ errors: [] })
    for (const ids of ['[["usr_ada"], ["usr_ada", "usr_ben"]]', '[]', '[[]]', '[["usr_ada", null]]', '"usr_ben"'])
      expect(await graph.ask(person(), `{ many(ids: ${ids}) }`)).toMatchObject(refused('many'))
  })

  it('holds for each alias by itself, and wherever the field is', async () => {
    expect(
      await graph.ask(person(), '{ a: user(id: "usr_ada") b: user(id: "usr_ben") item { of(user: "usr_ben") } }'),
    ).toEqual({
      executed: '{ a: user(id: "usr_ada") }',
      data: { a: '{"id":"usr_ada"}', b: null, item: null },
      errors: ['b UNAUTHORIZED_FIELD_OR_TYPE', 'item.of UNAUTHORIZED_FIELD_OR_TYPE'],
    })
  })
})

describe('[P6] an input field that names a principal', () => {
  it.each([
    '{ owner: "usr_ben" }',
    '{ and: { owner: "usr_ben" } }',
    '{ or: [{}, { owner: "usr_ben" }] }',
    '{ or: { and: { or: [{ owner: null }] } } }',
  ])('is looked at however deep it is: %s', async (where) => {
    const mine = where.replaceAll(/"usr_ben"|null/g, '"usr_ada"')
    for (const field of ['search', 'deep']) {
      const query = (text: string) => `{ ${field}(where: ${text}) }`
      expect(await graph.ask(person(), query(where))).toMatchObject(refused(field))
      expect(await graph.ask(person(), query(mine))).toMatchObject({ errors: [] })
      expect(await graph.ask(support, query(where))).toMatchObject({ errors: [] })
      expect(await graph.ask(agent('admin'), query(where))).toMatchObject(refused(field))
    }
  })

  it('is looked at in variables, whole or inside of literals', async () => {
    const whole = 'query ($where: Where) { search(where: $where) }'
    const inside = 'query ($id: ID, $where: Where!) { search(where: { or: [{ owner: $id }, { and: $where }] }) }'
    const ask = async (query: string, variables: Record<string, unknown>) =>
      (await graph.ask(person(), query, { variables })).errors.length
    expect(await ask(whole, { where: { or: [{ and: { owner: 'usr_ada' } }] } })).toBe(0)
    expect(await ask(whole, { where: { or: [{ and: { owner: 'usr_ben' } }] } })).toBe(1)
    expect(await ask(whole, {})).toBe(0)
    expect(await ask(whole, { where: null })).toBe(0)
    expect(await ask(inside, { id: 'usr_ada', where: {} })).toBe(0)
    expect(await ask(inside, { where: {} })).toBe(0)
    expect(await ask(inside, { id: 'usr_ben', where: {} })).toBe(1)
    expect(await ask(inside, { id: 'usr_ada', where: { owner: 'usr_ben' } })).toBe(1)
  })

  it('has the default that the schema gives it', async () => {
    const other = graph.ask(person('x'), '{ search(where: { text: "a" }) }')
    expect(await other).toMatchObject({ data: { search: '{"where":{"owner":"usr_ada","text":"a"}}' }, errors: [] })
  })

  it('holds in mutations', async () => {
    const query = 'mutation ($input: Transfer!) { transfer(input: $input) }'
    const ask = (input: object) => graph.ask(person(), query, { variables: { input } })
    expect(await ask({ userId: 'usr_ada', via: [{ amount: 2 }] })).toMatchObject({ errors: [] })
    expect(await ask({ via: [{ userId: 'usr_ben' }] })).toMatchObject(refused('transfer'))
  })
})
