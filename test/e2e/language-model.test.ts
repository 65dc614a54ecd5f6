import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { deriveContextKeys, type Identity } from '@behalf/identity'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ModelServer, type Reply, startModelServer } from '../support/model-server.ts'
import { root, startSystem, type System } from '../support/system.ts'

let model: ModelServer
let system: System
/** Of the guide, in front of the model. */
let proxy: Server
let proxyUrl: string
const callers: Identity[] = []

type ModelProxy = (options: { upstream: string; keys: string; modelFor: (caller: Identity) => string | null }) => Server
/** What docs/guides/connect-a-model.md shows. */
async function proxyOfGuide(): Promise<ModelProxy> {
  const guide = await readFile(join(root, 'docs/guides/connect-a-model.md'), 'utf8')
  const [, shown = ''] = /^```ts\n(.*?)^```$/ms.exec(guide) ?? []
  const file = join(root, 'test/.reports/model-proxy.ts')
  await mkdir(join(root, 'test/.reports'), { recursive: true })
  await writeFile(file, shown)
  try {
    const { modelProxy } = (await import(/* @vite-ignore */ file)) as { modelProxy: ModelProxy }
    return modelProxy
  } finally {
    await rm(file)
  }
}

beforeAll(async () => {
  model = await startModelServer()
  const rootKey = randomBytes(32).toString('base64url')
  const modelProxy = await proxyOfGuide()
  proxy = modelProxy({
    upstream: model.baseUrl,
    keys: deriveContextKeys(rootKey, 'model', [1]),
    modelFor(caller) {
      callers.push(caller)
      return caller.tenant === null ? null : `adapter-${caller.tenant === 'acme' ? 'a' : 'g'}`
    },
  })
  proxy.listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  proxyUrl = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`
  system = await startSystem({
    env: {
      MODEL_BASE_URL: `${proxyUrl}/v1`,
      MODEL_NAME: 'scripted',
      MODEL_API_KEY: 'secret-of-the-model',
      MODEL_CONTEXT: 'on',
      MODEL_FACTS: 'tier',
      BEHALF_ROOT_KEY: rootKey,
    },
  })
})

afterAll(async () => {
  await system?.stop()
  proxy?.closeAllConnections()
  proxy?.close()
  await model?.[Symbol.asyncDispose]()
})

const send = `mutation ($input: ChatSendInput!) { chatSend(input: $input) { run {
  status error { code } backend { kind name } message { text } usage { inputTokens outputTokens modelCalls toolCalls }
  toolCalls { tool status arguments result errorCode } } } }`

let messages = 0
async function chat(user: string, text: string) {
  const { body } = await system.graphql(await system.token(user), send, {
    input: { text, idempotencyKey: `message-${++messages}` },
  })
  expect(body.errors).toBeUndefined()
  return body.data?.['chatSend'].run
}

/** Calls the tool once, then tells what came back. */
const callThenTell = (call: Reply & { call: string }) => {
  model.reply = ({ messages: said }) => {
    const last = said.at(-1)
    return last?.role === 'tool' ? { text: `The tool said: ${JSON.stringify(last.content)}` } : call
  }
}

describe('a language model behind an OpenAI-compatible server', () => {
  it('answers by the tool it calls, over a stream', async () => {
    callThenTell({ call: 'get_balance', arguments: '{}' })
    const { body } = await system.graphql(await system.token('ada'), '{ viewer { balance { amount currency } } }')
    const run = await chat('ada', 'What is my balance?')
    expect(run).toMatchObject({
      status: 'COMPLETED',
      backend: { kind: 'LANGUAGE_MODEL', name: 'scripted' },
      toolCalls: [{ tool: 'get_balance', status: 'SUCCEEDED', arguments: {}, result: body.data }],
      usage: { inputTokens: 180, outputTokens: 20, modelCalls: 2, toolCalls: 1 },
    })
    expect(run.message.text).toContain(body.data?.['viewer'].balance.amount)
  })

  it('[P3] is given no argument that names a user', async () => {
    callThenTell({ call: 'get_balance', arguments: '{}' })
    await chat('ada', 'What is my balance?')
    const tools = model.requests.at(-1)!.body.tools ?? []
    expect(tools.map((tool) => tool.function.name)).toEqual([
      'cancel_order',
      'get_balance',
      'get_order_status',
      'list_orders',
      'list_transactions',
      'transfer',
    ])
    const names = tools.flatMap((tool) => Object.keys((tool.function.parameters as { properties: object }).properties))
    expect(new Set(names)).toEqual(new Set(['orderId', 'reason', 'first', 'after', 'payeeId', 'amount']))
  })

  it('[P1] [P5] knows whom it answers, without a credential, and answers nobody unknown', async () => {
    callThenTell({ call: 'get_balance', arguments: '{}' })
    for (const [user, tenant] of [
      ['ada', 'acme'],
      ['chloe', 'globex'],
    ] as const) {
      const before = model.requests.length
      await chat(user, 'What is my balance?')
      for (const { body, headers } of model.requests.slice(before)) {
        expect(body.model).toBe(tenant === 'acme' ? 'adapter-a' : 'adapter-g')
        expect(headers['txn-token']).toBeUndefined()
      }
      expect(callers.at(-1)).toMatchObject({
        subject: `usr_${user}`,
        tenant,
        scopes: [],
        facts: { tier: 'premium' },
        actor: { agent: 'assistant', run: expect.stringMatching(/^run_/), tool: null },
        approval: null,
      })
    }
    const before = model.requests.length
    const asked = await fetch(`${proxyUrl}/v1/chat/completions`, { method: 'POST', body: '{"messages":[]}' })
    expect([asked.status, model.requests.length]).toEqual([401, before])
  })

  it("[P12] reads nobody else's data, whatever it asks for", async () => {
    const { body } = await system.graphql(
      await system.token('ada'),
      '{ viewer { orders(first: 1) { edges { node { id } } } } }',
    )
    const id: string = body.data?.['viewer'].orders.edges[0].node.id
    const attempts: [Reply & { call: string }, object][] = [
      [
        { call: 'get_balance', arguments: '{"userId":"usr_ada"}' },
        { status: 'FAILED', errorCode: 'TOOL_ARGUMENTS_INVALID', result: null },
      ],
      [
        { call: 'get_order_status', arguments: `{"orderId":"${id}"}` },
        { status: 'SUCCEEDED', result: { order: null } },
      ],
      [
        { call: 'get_user', arguments: '{"id":"usr_ada"}' },
        { status: 'FAILED', errorCode: 'TOOL_UNKNOWN', result: null },
      ],
      [
        { call: 'list_orders', arguments: '{"first": "many"' },
        { status: 'FAILED', errorCode: 'TOOL_ARGUMENTS_INVALID', result: null },
      ],
    ]
    for (const [call, outcome] of attempts) {
      callThenTell(call)
      const run = await chat('ben', 'Show me what belongs to Ada.')
      expect(run).toMatchObject({ status: 'COMPLETED', toolCalls: [outcome] })
    }
    callThenTell({ call: 'get_order_status', arguments: `{"orderId":"${id}"}` })
    expect(await chat('ada', 'Where is my order?')).toMatchObject({
      toolCalls: [{ status: 'SUCCEEDED', result: { order: { id } } }],
    })
  })

  it('[P11] stops in the middle of an answer, within a second of its user ending what it may do', async () => {
    const token = await system.token('ada')
    const more = Promise.withResolvers<void>()
    const gone = model.requests.length
    model.reply = () => ({ text: 'Your balance is what nobody waits for any more.', hold: more.promise })
    const { body } = await system.graphql(token, send.replace('status', 'id status'), {
      input: { text: 'What is my balance?', idempotencyKey: `message-${++messages}`, waitMs: 0 },
    })
    expect(body.errors).toBeUndefined()
    const id = body.data?.['chatSend'].run.id as string
    await expect.poll(() => model.requests.length, { timeout: 10_000 }).toBeGreaterThan(gone)
    const mine = `{ viewer { delegations(first: 100) { id revokedAt lastUsedAt } } }`
    const listed = (await system.graphql(token, mine)).body.data?.['viewer'].delegations as {
      id: string
      revokedAt: string | null
    }[]
    for (const delegation of listed.filter(({ revokedAt }) => revokedAt === null))
      await system.graphql(token, 'mutation ($id: ID!) { revokeDelegation(id: $id) { id } }', { id: delegation.id })
    const revoked = performance.now()
    const runOf = async () =>
      (await system.graphql(token, 'query ($id: ID!) { chatRun(id: $id) { status error { code } } }', { id })).body
        .data?.['chatRun']
    await expect
      .poll(runOf, { timeout: 5000, interval: 20 })
      .toEqual({ status: 'FAILED', error: { code: 'IDENTITY_EXPIRED' } })
    expect(performance.now() - revoked).toBeLessThan(1000)
    more.resolve()
  })

  it('[P12] ends in a clear state when it never stops', async () => {
    model.reply = () => ({ call: 'get_balance', arguments: '{}' })
    expect(await chat('chloe', 'What is my balance?')).toMatchObject({
      status: 'INCOMPLETE',
      error: { code: 'STEP_LIMIT' },
    })
  })

  it('that refuses us is a failure whose cause the log has, without the conversation', async () => {
    model.reply = () => ({ status: 401 })
    const run = await chat('chloe', 'What is the colour of my secret hat?')
    expect(run).toMatchObject({ status: 'FAILED', error: { code: 'MODEL_UNAVAILABLE' } })
    const log = await system.log('orchestrator')
    expect(log).toMatch(/"code":"MODEL_UNAVAILABLE","reason":"No such key\."/)
    expect(log).not.toContain('secret hat')
  })

  it('[P2] is told no id, e-mail or token of the user, and its key is told to nobody else', async () => {
    callThenTell({ call: 'get_balance', arguments: '{}' })
    const before = model.requests.length
    await chat('ada', 'What is my balance?')
    const token = await system.token('ada')
    expect(model.requests.length).toBe(before + 2)
    for (const { raw, headers } of model.requests.slice(before)) {
      expect(raw).not.toMatch(/usr_|@|acme|txn|dlg_|eyJ/)
      expect(JSON.stringify(headers)).not.toContain(token.split('.')[2])
      expect(headers['authorization']).toBe('Bearer secret-of-the-model')
    }
    for (const name of ['gateway', 'orchestrator', 'balance'] as const)
      expect(await system.log(name)).not.toContain('secret-of-the-model')
  })
})
