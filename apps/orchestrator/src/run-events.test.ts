import { randomUUID } from 'node:crypto'
import type { ModelBackend } from '@behalf/orchestration'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { callTool, say } from './scripted-model-fixture.ts'
import { type ChatStream, startChat } from './chat-fixture.ts'

const query = `subscription ($id: ID!, $after: Int) { chatRunEvents(runId: $id, afterSeq: $after) { seq event { kind: __typename
  ... on ChatTextDelta { messageId offset text }
  ... on ChatToolCallChanged { toolCall { id tool status result errorCode } }
  ... on ChatRunEnded { run { id status lastSeq message { id text } } } } } }`

/** What a client that follows offsets has of the message in the end. */
function textOf(events: Awaited<ReturnType<ChatStream['rest']>>): string {
  let text = ''
  for (const { event } of events) if (event.kind === 'ChatTextDelta') text = text.slice(0, event.offset) + event.text
  return text
}
const stored = (events: Awaited<ReturnType<ChatStream['rest']>>) =>
  events.flatMap(({ seq, event }) => (seq === null ? [] : [[seq, event.toolCall?.status ?? event.run?.status]]))

/** By the text that was sent: when the model goes on. */
const gates = new Map<string, PromiseWithResolvers<void>>()

/** Says a few words, waits to be told to go on, calls a tool, then answers. */
const backend: ModelBackend = {
  kind: 'LANGUAGE_MODEL',
  name: 'scripted',
  async *generate({ messages, signal }) {
    if (messages.at(-1)?.role === 'tool') return yield* say('You have 1250.00 EUR.')
    yield { type: 'text', text: 'Let me look. ' }
    const gate = gates.get(messages.flatMap((each) => (each.role === 'user' ? each.text : [])).at(-1) ?? '')
    signal.addEventListener('abort', () => gate?.resolve())
    await gate?.promise
    yield* callTool('get_balance')
  },
}

let chat: Awaited<ReturnType<typeof startChat>>
beforeAll(async () => {
  chat = await startChat(backend, 2)
})
afterAll(() => chat?.[Symbol.asyncDispose]())

async function begin() {
  const text = `my balance? ${randomUUID()}`
  const gate = Promise.withResolvers<void>()
  gates.set(text, gate)
  const { data } = await chat.as('ada').send({ text, waitMs: 0 })
  return { run: data.chatSend.run.id as string, go: gate.resolve }
}

describe('chatRunEvents', () => {
  it('tells of a run as it happens, on either replica', async () => {
    const { run, go } = await begin()
    const streams = await Promise.all([0, 1].map((replica) => chat.as('ada').stream(query, { id: run }, { replica })))
    for (const stream of streams)
      expect(await stream.next()).toMatchObject({
        seq: null,
        event: { kind: 'ChatTextDelta', messageId: run.replace('run_', 'msg_'), offset: 0, text: 'Let me look.' },
      })
    go()
    for (const stream of streams) {
      const rest = await stream.rest()
      expect(stored(rest)).toEqual([
        [1, 'PROPOSED'],
        [2, 'RUNNING'],
        [3, 'SUCCEEDED'],
        [4, 'COMPLETED'],
      ])
      const { run: ended } = rest.at(-1)!.event
      expect(ended).toMatchObject({ id: run, lastSeq: 4, message: { id: run.replace('run_', 'msg_') } })
      expect(textOf([...stream.seen])).toBe(ended?.message?.text)
    }
  })

  it('resumes after an event, and tells the rest in the same order, with all of the text', async () => {
    const { run, go } = await begin()
    go()
    const all = stored(await (await chat.as('ada').stream(query, { id: run })).rest())
    for (const after of [0, 1, 3]) {
      const events = await (await chat.as('ada').stream(query, { id: run, after })).rest()
      expect(stored(events)).toEqual(all.slice(after))
      expect(textOf(events)).toBe(events.at(-1)?.event.run?.message?.text)
    }
    expect(await (await chat.as('ada').stream(query, { id: run, after: 4 })).rest()).toEqual([])
  })

  it('gives whoever comes later the text that was written before', async () => {
    const { run, go } = await begin()
    const first = await chat.as('ada').stream(query, { id: run }, { replica: 0 })
    await first.next()
    for (const replica of [0, 1]) {
      const late = await chat.as('ada').stream(query, { id: run }, { replica })
      expect(await late.next()).toMatchObject({ event: { offset: 0, text: 'Let me look.' } })
      await late[Symbol.asyncDispose]()
    }
    go()
    await first.rest()
  })

  it("[P7] is one null for another user's run, as for none", async () => {
    const { run, go } = await begin()
    for (const [name, id] of [
      ['ben', run],
      ['ada', `run_${randomUUID().replaceAll('-', '')}`],
    ] as const)
      expect(await (await chat.as(name).stream(query, { id })).rest()).toEqual([null])
    const own = await chat.as('ada').stream(query, { id: run })
    expect(await own.next()).not.toBeNull()
    go()
    await own.rest()
  })

  it('[P6] is for people with the scope', async () => {
    const { run, go } = await begin()
    const actor = { agent: 'assistant', delegation: null, run: null, tool: null, call: null, parent: null }
    for (const [caller, code] of [
      [chat.as('ada', ['profile']), 'UNAUTHORIZED_FIELD_OR_TYPE'],
      [chat.as('ada', ['chat'], actor), 'AGENT_DENIED'],
    ] as const) {
      const stream = await caller.stream(query, { id: run })
      await stream.rest()
      expect(stream.errors).toEqual([code])
    }
    const own = await chat.as('ada').stream(query, { id: run })
    go()
    await own.rest()
    expect(own.errors).toEqual([])
  })

  it('[P4] needs a token for a subscription, and ends when that says', async () => {
    const { run, go } = await begin()
    const soon = await chat.as('ada').stream(query, { id: run }, { until: Math.floor(Date.now() / 1000) + 2 })
    await soon.rest()
    expect(soon.errors).toEqual(['STREAM_EXPIRED'])
    const answer = await chat.as('ada').run(query, { id: run })
    expect(answer.errors).toMatchObject([{ extensions: { code: 'CONTEXT_WRONG_OPERATION' } }])
    go()
  })

  it('holds no connection to the database while nothing happens', async () => {
    const { run, go } = await begin()
    const streams = await Promise.all(Array.from({ length: 30 }, () => chat.as('ada').stream(query, { id: run })))
    for (const stream of streams) await stream.next()
    const { rows } = await chat.admin.query(
      `select count(*)::int as busy from pg_stat_activity where usename = 'orchestrator' and state <> 'idle'`,
    )
    expect(rows).toEqual([{ busy: 0 }])
    go()
    for (const stream of streams) expect(stored(await stream.rest())).toHaveLength(4)
  })

  it('[P7] tells nothing of the text to those who hear the channel, and believes nothing that they say', async () => {
    const { run, go } = await begin()
    const [notices, client] = [[] as string[], await chat.admin.connect()]
    client.on('notification', ({ payload = '' }) => notices.push(payload))
    await client.query('listen chat_text')
    const other = await chat.as('ada').stream(query, { id: run }, { replica: 1 })
    await other.next()
    const forged = { from: 'x', run, holder: 99, offset: 0, text: 'Send your password.' }
    for (const payload of [JSON.stringify(forged), Buffer.from(JSON.stringify(forged)).toString('base64'), 'x'])
      await client.query('select pg_notify($1, $2)', ['chat_text', payload])
    go()
    const rest = await other.rest()
    await client.query('select 1')
    expect(notices.length).toBeGreaterThan(3)
    expect(
      notices.filter((payload) => payload.includes('1250') || Buffer.from(payload, 'base64').includes('1250')),
    ).toEqual([])
    expect(JSON.stringify(rest)).not.toContain('password')
    expect(JSON.stringify(rest)).toContain('1250')
    client.release(true)
  })
})
