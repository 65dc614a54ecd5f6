import { ApolloServer } from '@apollo/server'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { startTestGateway, type TestGateway } from '../fixtures/test-gateway.ts'
import { rule } from '../fixtures/rule.ts'

const byApollo = vi.spyOn(ApolloServer.prototype, 'executeOperation')
afterEach(() => byApollo.mockClear())

type Asked = Parameters<TestGateway['ask']>

/** What of an answer is not of its moment, and how often Apollo Server was asked. */
async function asked(gateway: TestGateway, ...[query, options]: Asked) {
  byApollo.mockClear()
  const { status, headers, body } = await gateway.ask(query, options)
  const { txn, ...extensions } = body.extensions ?? {}
  expect(txn).toMatch(/^[0-9a-f-]{36}$/)
  const { date: _date, 'content-length': _length, ...sent } = Object.fromEntries(headers)
  const received = gateway.graph.all.map(({ received: each }) => each.splice(0).length)
  return { answer: { status, sent, body: { ...body, extensions }, received }, byApollo: byApollo.mock.calls.length }
}

/** Asks something else first: what an accepted content type comes to is found out by Apollo Server, as HTTP. */
const begin = (gateway: TestGateway) => gateway.ask('{ __typename }')

describe.each(['filter', 'reject', 'dry-run'] as const)('with authorization in mode %s, a known operation', (mode) => {
  it('is answered as when it was not known, and Apollo Server is asked for errors alone', async () => {
    await using gateway = await startTestGateway({
      authorization: { mode },
      limits: { operation: { rootFields: 3, cost: 150 } },
      rules: { 'User.points': rule({ scopes: [['points']] }), 'Query.chatSend': rule({ authenticated: true }) },
    })
    await begin(gateway)
    const token = await gateway.token({ scope: 'profile' })
    const people = 'query People($n: Int) { people(first: $n) { id orders { id } } }'
    const two = 'query A { chatBackend } query B { viewer { id } }'
    const cases: readonly [isAnswered: boolean, ...Asked][] = [
      [true, '{ viewer { id orders { id total } } }', { token }],
      [true, '{ chatBackend again: chatBackend }'],
      [true, 'mutation { rename(name: "x") { id name } }', { token }],
      [
        true,
        'query ($yes: Boolean!) { chatBackend viewer @include(if: $yes) { id } }',
        { token, variables: { yes: true } },
      ],
      [true, '{ __type(name: "User") { name } }'],
      [true, people, { token, variables: { n: 2 } }],
      [true, two, { token, operationName: 'B' }],
      [false, people, { token, variables: { n: 50 } }],
      [false, people, { token, variables: { n: 'two' } }],
      [false, two, { token }],
      [false, two, { token, operationName: 'C' }],
      [false, 'query ($yes: Boolean!) { chatBackend @include(if: $yes) }', { token }],
      [false, '{ chatBackend a: chatBackend b: chatBackend c: chatBackend }'],
      [false, '{ viewer { id name: nothing } }', { token }],
      [mode === 'dry-run', '{ viewer { id points } }', { token }],
      [mode === 'dry-run', '{ chatBackend chatSend }'],
    ]
    for (const [isAnswered, ...request] of cases) {
      const first = await asked(gateway, ...request)
      expect([request[0], first.byApollo]).toEqual([request[0], 1])
      for (let count = 0; count < 2; count++) {
        const again = await asked(gateway, ...request)
        expect([request[0], again]).toEqual([request[0], { ...first, byApollo: isAnswered ? 0 : 1 }])
      }
    }
  })
})

it('[P11] [P15] a known operation is refused for what has changed since, and before it is executed', async () => {
  await using gateway = await startTestGateway({ limits: { user: { requests: null, cost: 6000 } } })
  await begin(gateway)
  const token = await gateway.token({ scope: 'profile' })
  const mutation = 'mutation { rename(name: "x") { id } }'
  const query = 'query ($n: Int) { people(first: $n) { id } }'
  const known = async (text: string, n = 1) => {
    const { answer, byApollo: count } = await asked(gateway, text, { token, variables: { n } })
    return [answer.status, answer.body.errors?.[0]?.extensions, answer.received.some((received) => received > 0), count]
  }
  for (const text of [mutation, query]) expect(await known(text)).toEqual([200, undefined, true, 1])
  for (const text of [mutation, query]) expect(await known(text)).toEqual([200, undefined, true, 0])
  const { age } = gateway.authority.revocations
  gateway.authority.revocations.age = () => 6000
  expect(await known(mutation)).toEqual([503, { code: 'REVOCATIONS_UNKNOWN' }, false, 1])
  expect(await known(query)).toEqual([200, undefined, true, 0])
  gateway.authority.revocations.age = age
  expect(await known(mutation)).toEqual([200, undefined, true, 0])
  expect(await known(query, 4900)).toEqual([200, undefined, true, 0])
  expect(await known(query, 4900)).toEqual([429, { code: 'RATE_LIMITED', retryAfter: expect.any(Number) }, false, 1])
  expect(await known(query)).toEqual([200, undefined, true, 0])
})
