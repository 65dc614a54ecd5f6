import { type AppError, createRefusal } from '@behalf/identity'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { challengeOf } from '../authenticate/challenge.ts'
import { startTestGateway, type TestGateway } from '../fixtures/test-gateway.ts'
import { rejection } from './authorization-mode.ts'
import type { Denial } from './denial.ts'
import { needs } from './fixtures.ts'

const denial = (path: string, ...parts: Parameters<typeof createRefusal>): Denial => ({
  ...createRefusal(...parts),
  path: [path],
  coordinate: `Query.${path}`,
  conditions: [],
})
const lacks = (path: string, ...requiredScopes: string[][]) =>
  denial(path, 'UNAUTHORIZED_FIELD_OR_TYPE', '', { details: { requiredScopes } })
const signIn = denial('a', 'UNAUTHENTICATED', '')
const stepUp = denial('b', 'STEP_UP_REQUIRED', '', { details: { maxAge: 60, acrValues: ['mfa'] } })

describe('a request that is refused as a whole', () => {
  it.each<[string, Denial[], number, object]>([
    ['is to sign in, first of all', [lacks('c', ['x']), stepUp, signIn], 401, { code: 'UNAUTHENTICATED' }],
    ['is to sign in again', [lacks('c', ['x']), stepUp], 401, { code: 'STEP_UP_REQUIRED', details: stepUp.details }],
    [
      'is to have all scopes, the fewest of each',
      [lacks('c', ['x', 'y'], ['z']), lacks('d', ['a', 'z'])],
      403,
      { code: 'UNAUTHORIZED_FIELD_OR_TYPE', details: { requiredScopes: [['z', 'a']] } },
    ],
    [
      'may be refused for what no credential mends',
      [denial('a', 'AGENT_DENIED', ''), denial('b', 'BAD_USER_INPUT', '')],
      403,
      { code: 'UNAUTHORIZED_FIELD_OR_TYPE', details: {} },
    ],
  ])('%s', (_name, denials, status, refusal) => {
    const challenged: AppError[] = []
    const { errors = [], data } = rejection(denials, (error) => (challenged.push(error), 'Bearer x="y"'))
    expect(challenged).toMatchObject([refusal])
    expect(data).toBeUndefined()
    expect(errors.map(({ path, extensions }) => [path, extensions['code']])).toEqual(
      denials.map(({ path, code }) => [path, code]),
    )
    const head = errors[0]?.extensions['http'] as { status: number; headers: Map<string, string> } | undefined
    expect([head?.status, [...(head?.headers ?? [])]]).toEqual([status, [['www-authenticate', 'Bearer x="y"']]])
    const [unchallenged] = rejection(denials, () => null).errors ?? []
    const bare = unchallenged?.extensions['http'] as { headers: Map<string, string> } | undefined
    expect(bare?.headers.size).toBe(0)
  })

  it('for a policy asks for no scopes, and so for no other token', () => {
    const { errors = [] } = rejection([denial('a', 'UNAUTHORIZED_FIELD_OR_TYPE', '')], challengeOf)
    const head = errors[0]?.extensions['http'] as { headers: Map<string, string> } | undefined
    expect(head?.headers.size).toBe(0)
    const [lacking] =
      rejection([denial('a', 'UNAUTHORIZED_FIELD_OR_TYPE', ''), lacks('b', ['x'])], challengeOf).errors ?? []
    const mended = lacking?.extensions['http'] as { headers: Map<string, string> } | undefined
    expect(mended?.headers.get('www-authenticate')).toContain('scope="x"')
  })
})

describe('a dry run', () => {
  let gateway: TestGateway
  const rules = { 'Mutation.chatSend': { ...needs('chat'), delegates: { agent: 'assistant', subgraph: 'chat' } } }
  beforeAll(async () => {
    gateway = await startTestGateway({ rules, authorization: { mode: 'dry-run' } })
  })
  afterAll(() => gateway[Symbol.asyncDispose]())
  beforeEach(() => {
    gateway.graph.chat.received.length = 0
  })
  const send = async (scope: string, mutation: string, variables: object = {}) =>
    (await gateway.ask(mutation, { token: await gateway.token({ scope }), variables })).body

  it('[P6] hands out no ticket for a field that is denied', async () => {
    const answer = await send('profile', 'mutation { chatSend(text: "hello") }')
    expect(answer).toMatchObject({ data: { chatSend: null }, errors: [{ extensions: { requiredScopes: [['chat']] } }] })
    expect(gateway.graph.chat.received).toEqual([])
    expect((await send('chat', 'mutation { chatSend(text: "hello") }')).data).toEqual({ chatSend: 'hello' })
    expect(gateway.graph.chat.received.map(({ context }) => typeof context.ticket)).toEqual(['string'])
  })

  it('[P6] nor where more is denied than is told', async () => {
    const many = Array.from({ length: 120 }, (_, index) => `a${index}: chatSend(text: "x")`)
    const aliases = `mutation ($on: Boolean!) { ${many.join(' ')} last: chatSend(text: "hello") @skip(if: $on) }`
    await send('profile', aliases, { on: true })
    expect(gateway.graph.chat.received).toEqual([])
  })
})

describe('a gateway', () => {
  const asking = { 'Query.whoami': { ...needs(), scopes: [], policies: [['p']] } }

  it('[P6] does not start without the policies that its graph names', async () => {
    const start = (policies: object) => startTestGateway({ rules: asking, policies: policies as never })
    await expect(start({})).rejects.toThrow(
      'The schema names the policy "p", which nobody gave. Give createGateway a function for each: policies: { p }.',
    )
    await expect(start({ p: 'yes' })).rejects.toThrow('"p"')
    await (await start({ p: () => true }))[Symbol.asyncDispose]()
  })

  it('[P6] logs why a policy could not be decided, and tells nobody else', async () => {
    const fails = () => Promise.reject(new Error('connect ECONNREFUSED 10.0.0.7'))
    await using gateway = await startTestGateway({ rules: asking, policies: { p: fails } })
    const { text, body } = await gateway.ask('{ whoami again: whoami }', { token: await gateway.token() })
    expect(body).toMatchObject({ data: { whoami: null }, errors: [{ path: ['whoami'] }, { path: ['again'] }] })
    expect(text).not.toContain('10.0.0.7')
    const lines = gateway.logs.filter((line) => line.includes('a policy could not be decided'))
    expect(lines.map((line) => JSON.parse(line) as object)).toMatchObject([
      {
        txn: body.extensions?.txn,
        err: { message: expect.stringMatching(/policy "p" of Query.whoami failed.*10.0.0.7/) },
      },
    ])
    expect(gateway.graph.users.received).toEqual([])
  })
})
