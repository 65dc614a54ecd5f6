import { buildSchema, parse, print } from 'graphql'
import { describe, expect, it } from 'vitest'
import { type AuthorizedSubscription, authorizeSubscription } from './authorize-subscription.ts'
import { createAuthorize } from './authorize.ts'
import { hashOf, needs, person } from './fixtures.ts'

const schema = buildSchema(`
  type Query { a: Int }
  type Subscription { ticked(n: Int): Tick, closed: Int }
  type Tick { at: Int, secret(n: Int): Int }`)
const authorize = createAuthorize({
  schema,
  rules: { 'Tick.secret': needs('secret'), 'Subscription.closed': needs('closed') },
})

/** What is answered at once, and what is handed over to be listened to. */
async function ask(
  query: string,
  variables: Record<string, unknown> = {},
  { operationName = null, scopes = [] }: { operationName?: string | null; scopes?: string[] } = {},
) {
  const document = parse(query)
  const principal = person(...scopes)
  const authorization = await authorize({ hash: hashOf(query), document, operationName, variables, principal })
  const given: AuthorizedSubscription[] = []
  const request = { schema, document, operationName, variables }
  const answer = await authorizeSubscription(request, authorization, (subscription) => given.push(subscription))
  return { answer, given, text: given.map((one) => print(one.document).replaceAll(/\s+/g, ' ')) }
}
const event = { data: { ticked: { at: 1 } } }

describe('[P6] of a subscription', () => {
  it('what is denied is not listened to, and null with its reason in each event', async () => {
    const query = 'subscription ($n: Int, $of: Int) { ticked(n: $n) { at secret(n: $of) } }'
    const { answer, given, text } = await ask(query, { n: 1, of: 2, more: 3 })
    expect(answer).toEqual({ data: null })
    expect(text).toEqual(['subscription ($n: Int) { ticked(n: $n) { at } }'])
    expect(given).toMatchObject([{ schema, operation: { kind: 'OperationDefinition' } }])
    expect(given.map(({ variables }) => variables)).toEqual([{ n: 1 }])
    expect(await given[0]?.complete(event)).toMatchObject({
      data: { ticked: { at: 1, secret: null } },
      errors: [{ path: ['ticked', 'secret'], extensions: { code: 'UNAUTHORIZED_FIELD_OR_TYPE' } }],
    })
  })

  it('all is listened to where nothing is denied: one operation, and what it uses', async () => {
    const query = `subscription One { ticked { ...T } } subscription Two { ticked { at } }
      fragment T on Tick { at secret } fragment U on Tick { at }`
    const options = { operationName: 'One', scopes: ['secret'] }
    const { given, text } = await ask(query, { more: 3 }, options)
    expect(text).toEqual(['subscription One { ticked { ...T } } fragment T on Tick { at secret }'])
    expect(given.map(({ variables }) => variables)).toEqual([{}])
    const whole = { data: { ticked: { at: 1, secret: 2 } } }
    expect(await given[0]?.complete(whole)).toBe(whole)
    expect((await ask('subscription { ticked { ...T } } fragment T on Tick { at }')).text).toEqual([
      'subscription { ticked { ...T } } fragment T on Tick { at }',
    ])
  })

  it('nothing is listened to where nothing is left, and why is answered', async () => {
    expect(await ask('subscription { closed }')).toMatchObject({
      given: [],
      answer: { data: { closed: null }, errors: [{ path: ['closed'] }] },
    })
    expect(await ask('subscription { closed }', {}, { scopes: ['closed'] })).toMatchObject({ given: [{}] })
  })

  it('nothing is listened to where its variables cannot be used, whoever asks', async () => {
    const query = 'subscription ($n: Int!) { ticked(n: $n) { at secret } }'
    for (const scopes of [[], ['secret']]) {
      const { answer, given } = await ask(query, { n: 'one' }, { scopes })
      expect([given, answer]).toMatchObject([[], { errors: [{ message: expect.stringContaining('$n') }] }])
      expect((await ask(query, { n: 1 }, { scopes })).given).toHaveLength(1)
    }
  })
})
