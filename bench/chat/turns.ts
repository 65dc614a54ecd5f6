import { randomUUID } from 'node:crypto'
import { Pool } from 'undici'
import { askText, holdText, tool } from './script.ts'

const runFields = '{ id status message { text } toolCalls { tool status } }'
const sendText = `mutation Send($input: ChatSendInput!) { chatSend(input: $input) { run ${runFields} error { code } } }`
const followText = `subscription Follow($id: ID!) { chatRunEvents(runId: $id) { seq event {
  ... on ChatTextDelta { offset text } ... on ChatToolCallChanged { toolCall { tool status } } ... on ChatRunEnded { run ${runFields} } } } }`

interface Run {
  readonly id: string
  readonly status: string
  readonly message: { readonly text: string } | null
  readonly toolCalls: readonly { readonly tool: string; readonly status: string }[]
}

/** A user's browser: sends a text and waits for the answer, or follows how it is written. */
export interface Client {
  /** One request, which is answered with the run when it is over. */
  wait(token: string, expected: string): Promise<boolean>
  /** One request that is answered at once, and a stream up to the end of the run. */
  follow(token: string, expected: string): Promise<boolean>
  /** Sends a text that is not answered; gives its run. */
  hold(token: string): Promise<string>
  /** Opens a stream of a run, and reads it until it is ended. Resolves once it has begun. */
  open(token: string, run: string): Promise<void>
  close(): Promise<void>
}

/** @param onWrong - told of the first answer that is not what it has to be */
export function createClient(url: string, onWrong: (text: string) => void): Client {
  const pool = new Pool(url, { headersTimeout: 120_000, bodyTimeout: 120_000 })
  const post = (path: string, token: string, body: object) =>
    pool.request({
      method: 'POST',
      path,
      headers: {
        'content-type': 'application/json',
        accept: path === '/graphql' ? 'application/json' : 'text/event-stream',
        authorization: `Bearer ${token}`,
      },
      body: JSON.stringify(body),
    })
  /** Null for one that was refused: a database that is asked for too much, for instance. */
  async function send(token: string, text: string, waitMs: number): Promise<Run | null> {
    const input = { text, idempotencyKey: randomUUID(), waitMs }
    const response = await post('/graphql', token, { query: sendText, variables: { input } })
    const answer = await response.body.text()
    const run = (JSON.parse(answer) as { data?: { chatSend?: { run?: Run } } }).data?.chatSend?.run
    if (!run) onWrong(answer.slice(0, 500))
    return run ?? null
  }
  function isRight(run: Run | null, expected: string): boolean {
    if (run === null) return false
    const right =
      run.status === 'COMPLETED' &&
      run.message?.text === expected &&
      JSON.stringify(run.toolCalls) === JSON.stringify([{ tool, status: 'SUCCEEDED' }])
    if (!right) onWrong(JSON.stringify(run))
    return right
  }

  return {
    wait: async (token, expected) => isRight(await send(token, askText, 60_000), expected),
    async follow(token, expected) {
      const sent = await send(token, askText, 0)
      if (sent === null) return false
      const { id } = sent
      const response = await post('/graphql/stream', token, { query: followText, variables: { id } })
      const events = (await response.body.text()).matchAll(/^data: (.+)$/gm)
      let text = ''
      let last: Run | null = null
      for (const [, data = ''] of events) {
        const { event } = JSON.parse(data).data.chatRunEvents
        if (typeof event.text === 'string') text = text.slice(0, event.offset) + event.text
        if (event.run) last = event.run as Run
      }
      if (last === null || text !== expected) {
        onWrong(`told "${text}"`)
        return false
      }
      return isRight(last, expected)
    },
    async hold(token) {
      const run = await send(token, holdText, 0)
      if (run === null) throw new Error('A text that is to be held was refused.')
      return run.id
    },
    async open(token, run) {
      const response = await post('/graphql/stream', token, { query: followText, variables: { id: run } })
      if (response.statusCode !== 200) throw new Error(await response.body.text())
      void response.body.text().catch(() => undefined)
    },
    close: () => pool.destroy(),
  }
}
