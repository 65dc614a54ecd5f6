import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ModelServer, type Reply, startModelServer } from '../support/model-server.ts'
import { startSystem, type System } from '../support/system.ts'

let model: ModelServer
let system: System

beforeAll(async () => {
  model = await startModelServer()
  system = await startSystem({
    env: { MODEL_BASE_URL: model.baseUrl, MODEL_NAME: 'scripted', MODEL_API_KEY: 'secret-of-the-model' },
  })
})

afterAll(async () => {
  await system.stop()
  await model[Symbol.asyncDispose]()
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
