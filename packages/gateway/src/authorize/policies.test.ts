import type { PolicyRequest } from '@behalf/identity'
import { beforeEach, describe, expect, it } from 'vitest'
import { rule } from '../fixtures/rule.ts'
import { agent, graphOf, needs, nobody, person } from './fixtures.ts'

const asked: string[] = []
let isOpen = true
const record = ({ coordinate, arguments: given }: PolicyRequest) => asked.push(`${coordinate} ${JSON.stringify(given)}`)
beforeEach(() => {
  asked.length = 0
  isOpen = true
})

const price = ({ currency, net }: { currency: string; net: boolean }) => `${net ? 1 : 2} ${currency}`
const item = { __typename: 'Item', price, open: 1, owner: { name: 'Ada' } }
const vault = { __typename: 'Vault', price, code: 7 }
const graph = graphOf(
  `type Query { items: [Item!], item(id: ID): Item, any: [Any], secret: Int!, kind: Kind, total(kind: Kind): Int, vault: Vault }
   type Mutation { transfer(input: Input!): Boolean }
   input Input { to: ID!, amount: Int = 1, tags: [String!] }
   enum Kind { A B }
   interface Any { price(currency: String = "EUR", net: Boolean! = false): String }
   type Item implements Any { price(currency: String = "EUR", net: Boolean! = false): String, owner: User, open: Int }
   type Vault implements Any { price(currency: String = "EUR", net: Boolean! = false): String, code: Int }
   type User { name: String }`,
  {
    'Any.price': rule({ policies: [['euro']] }),
    'Item.price': rule({ policies: [['euro']] }),
    'Query.secret': rule({ policies: [['never']] }),
    'Mutation.transfer': { ...needs('transfer'), policies: [['small', 'open'], ['mine']], agent: 'ALLOW' },
    'User.name': { ...needs('profile'), policies: [['open']] },
    Kind: rule({ policies: [['open']] }),
    Vault: rule({ policies: [['open']] }),
  },
  { items: [item, item], item: () => item, any: [item, vault], secret: 7, kind: 'A', total: 3, transfer: true, vault },
  {
    policies: {
      euro: (request) => record(request) > 0 && request.arguments['currency'] === 'EUR',
      never: () => false,
      small: ({ arguments: { input } }) => (input as { amount: number }).amount < 100,
      mine: async ({ arguments: { input }, caller }) => (input as { to: string }).to === caller.subject,
      open: (request) => record(request) > 0 && isOpen,
    },
  },
)
const denied = (...paths: string[]) => paths.map((path) => `${path} UNAUTHORIZED_FIELD_OR_TYPE`)

describe('[P6] a field with a policy', () => {
  it('is decided by its arguments, each alias by itself', async () => {
    const query = '{ item { a: price b: price(currency: "USD") c: price(currency: "EUR", net: true) } }'
    expect(await graph.ask(person(), query)).toEqual({
      executed: '{ item { a: price c: price(currency: "EUR", net: true) } }',
      data: { item: { a: '2 EUR', b: null, c: '1 EUR' } },
      errors: denied('item.b'),
    })
    expect(asked).toEqual([
      'Item.price {"currency":"EUR","net":false}',
      'Item.price {"currency":"USD","net":false}',
      'Item.price {"currency":"EUR","net":true}',
    ])
  })

  it('is decided by variables, defaults and literals alike, and by nothing of an earlier request', async () => {
    const query = 'query ($c: String = "EUR") { item { price(currency: $c) open } }'
    const ask = (variables: Record<string, unknown>) => graph.ask(person(), query, { variables })
    const allowed = { executed: query, data: { item: { price: '2 EUR' } }, errors: [] }
    const refused = { executed: '{ item { open } }', data: { item: { price: null } }, errors: denied('item.price') }
    for (const [variables, answer] of [
      [{}, allowed],
      [{ c: 'USD' }, refused],
      [{ c: 'EUR' }, allowed],
      [{ c: null }, refused],
      [{}, allowed],
    ] as const) {
      expect({ variables, ...(await ask(variables)) }).toMatchObject({ variables, ...answer })
    }
  })

  it('is decided where rules refuse another one, and however much is asked for in between', async () => {
    const query = '{ item { price(currency: "USD") owner { name } } }'
    const refused = { executed: null, errors: denied('item.price', 'item.owner.name') }
    const priced = query.replace('USD', 'EUR')
    const allowed = { executed: '{ item { price(currency: "EUR") } }', errors: denied('item.owner.name') }
    for (let round = 0; round < 3; round++) {
      expect(await graph.ask(person(), query)).toMatchObject(refused)
      expect(await graph.ask(person(), priced)).toMatchObject(allowed)
      // More than is kept of operations.
      for (let index = 0; index < 5; index++)
        await graph.authorize(person(), `{ item { price } } # ${round} ${index} ${'x'.repeat(300_000)}`)
    }
  })

  it('sees nested input as it is coerced', async () => {
    const query = 'mutation ($to: ID!, $n: Int) { transfer(input: { to: $to, amount: $n }) }'
    const ask = (to: unknown, n?: unknown) =>
      graph.ask(person('transfer'), query, { variables: { to, ...(n !== undefined && { n }) } })
    expect(await ask(7, 99)).toMatchObject({ executed: query, errors: [] })
    expect(await ask(7)).toMatchObject({ executed: query, errors: [] })
    expect(await ask(7, 100)).toMatchObject({ executed: null, errors: denied('transfer') })
    expect(await ask('usr_ada', 100)).toMatchObject({ executed: query, errors: [] })
  })

  it('is decided once in a list, and once where it is asked for twice alike', async () => {
    expect(await graph.ask(person(), '{ items { price } again: items { price other: price } }')).toMatchObject({
      data: { items: [{ price: '2 EUR' }, { price: '2 EUR' }] },
    })
    expect(asked).toEqual(['Item.price {"currency":"EUR","net":false}'])
    const off = await graph.ask(person(), '{ items { price(currency: "USD") } }')
    expect(off).toMatchObject({ executed: null, data: { items: null }, errors: denied('items.price') })
  })

  it('is decided for each request anew', async () => {
    const ask = () => graph.ask(person('profile'), '{ item { open owner { name } } }')
    expect(await ask()).toMatchObject({ data: { item: { owner: { name: 'Ada' } } } })
    isOpen = false
    expect(await ask()).toMatchObject({ data: { item: { owner: null } }, errors: denied('item.owner.name') })
    isOpen = true
    expect(await ask()).toMatchObject({ data: { item: { owner: { name: 'Ada' } } }, errors: [] })
    expect(asked).toEqual(Array(3).fill('User.name {}'))
  })

  it('is not asked about for those whom another rule refuses', async () => {
    expect(await graph.ask(person(), '{ item { open owner { name } } }')).toMatchObject({
      errors: denied('item.owner.name'),
    })
    expect(await graph.ask(nobody, 'mutation { transfer(input: { to: "a" }) }')).toMatchObject({
      errors: ['transfer UNAUTHENTICATED'],
    })
    expect(asked).toEqual([])
  })

  it('makes null what cannot be without it', async () => {
    expect(await graph.ask(person(), '{ secret kind }')).toEqual({
      executed: '{ kind }',
      data: null,
      errors: denied('secret'),
    })
  })

  it('holds in fragments, by name and inline, on what they are on', async () => {
    const query = `{ any { ...Price ... on Item { usd: price(currency: "USD") } } item { ...Price open } }
      fragment Price on Any { price(currency: "EUR") }`
    expect(await graph.ask(person(), query)).toMatchObject({
      executed:
        '{ any { __typename ...Price } item { ...Price open } } fragment Price on Any { price(currency: "EUR") }',
      data: { any: [{ price: '2 EUR', usd: null }, { price: '2 EUR' }], item: { price: '2 EUR' } },
      errors: denied('any.usd'),
    })
    expect(asked).toContain('Any.price {"currency":"EUR","net":false}')
  })
})

describe('[P6] a type with a policy', () => {
  it('is decided once and without arguments: where it is returned, and where a fragment names it', async () => {
    const query = '{ kind total(kind: B) vault { code } any { ... on Vault { code } ... on Item { open } } }'
    expect(await graph.ask(person(), query)).toMatchObject({ executed: query, errors: [] })
    expect(asked.toSorted()).toEqual(['Kind {}', 'Vault {}'])
    isOpen = false
    expect(await graph.ask(person(), query)).toEqual({
      executed: '{ total(kind: B) any { __typename ... on Item { open } } }',
      data: { kind: null, total: 3, vault: null, any: [{ open: 1 }, { code: null }] },
      errors: denied('kind', 'vault', 'any.code'),
    })
  })
})

describe('[P6] what cannot be read', () => {
  it('of an argument is not executed', async () => {
    const query = 'query ($net: Boolean) { item { open price(net: $net) } }'
    expect(await graph.ask(person(), query, { variables: { net: null } })).toEqual({
      executed: '{ item { open } }',
      data: { item: { open: 1, price: null } },
      errors: ['item.price BAD_USER_INPUT'],
    })
    const refused = await graph.authorize(person(), query, null, { net: null })
    expect(refused?.denials).toMatchObject([{ message: expect.stringContaining('"net"') }])
    expect(await graph.ask(person(), query)).toMatchObject({ executed: query, errors: [] })
    expect(asked).toEqual(['Item.price {"currency":"EUR","net":false}'])
  })

  it('of the variables ends the request, whoever makes it', async () => {
    for (const principal of [nobody, person('transfer')]) {
      const answer = await graph.ask(principal, 'mutation ($i: Input!) { transfer(input: $i) }', {
        variables: { i: { to: 'a', userId: 'b' } },
      })
      expect(answer).toMatchObject({ executed: null, data: undefined, errors: [expect.stringContaining('userId')] })
    }
    const query = 'query ($c: String!) { item { price(currency: $c) } }'
    const unusable = await graph.authorize(person(), query)
    expect([unusable?.allowed, unusable?.denials, unusable?.denies('Item.price')]).toEqual([null, [], false])
    expect(asked).toEqual([])
    expect(await graph.authorize(person(), query, null, { c: 'EUR' })).toBeNull()
    expect(asked).toEqual(['Item.price {"currency":"EUR","net":false}'])
  })
})

describe('[P6] what is left after policies', () => {
  it('has a key of its own, and is not kept', async () => {
    const query = 'query ($c: String) { items { price(currency: $c) open } }'
    const decide = (c: string, principal = person()) => graph.authorize(principal, query, null, { c })
    expect(await decide('EUR')).toBeNull()
    const [usd, gbp, again] = [await decide('USD'), await decide('GBP'), await decide('USD')]
    expect(usd?.allowed?.source.replaceAll(/\s+/g, ' ')).toBe('{ items { open } }')
    expect(gbp?.allowed?.key).toBe(usd?.allowed?.key)
    expect(again).not.toBe(usd)
    expect(await decide('EUR')).toBeNull()
  })

  it('is found anew where the same text was parsed again', async () => {
    const query = '{ item { open price(currency: "USD") } }'
    for (let times = 0; times < 3; times++) {
      expect(await graph.ask(agent(), query)).toMatchObject({
        executed: '{ item { open } }',
        data: { item: { price: null } },
        errors: denied('item.price'),
      })
    }
  })

  it('says which rule decided, and what the caller was told', async () => {
    const authorization = await graph.authorize(person(), '{ secret item { owner { name } } }')
    expect(authorization?.denials).toMatchObject([
      {
        coordinate: 'Query.secret',
        rule: '@policy(policies: [["never"]])',
        message: 'You may not see or do this.',
        details: {},
      },
      {
        coordinate: 'User.name',
        rule: '@requiresScopes(scopes: [["profile"]])',
        message: 'Needs the scope profile.',
        details: { requiredScopes: [['profile']] },
      },
    ])
  })
})
