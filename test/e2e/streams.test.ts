import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type Authority, createAuthority } from '@behalf/authority'
import { createClient } from 'graphql-sse'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type ModelServer, type Reply, startModelServer } from '../support/model-server.ts'
import { type Replica, type Replicas, startReplicas } from '../support/replicas.ts'
import { root } from '../support/system.ts'

let model: ModelServer
let system: Replicas
let one: Replica
let other: Replica
let operator: Authority

beforeAll(async () => {
  model = await startModelServer()
  system = await startReplicas({ orchestrator: { MODEL_BASE_URL: model.baseUrl, MODEL_NAME: 'scripted' } })
  ;[one, other] = system.all
  operator = createAuthority({ url: system.database.gatewayUrl, max: 1 })
  // Eleven processes: a machine that has other things to do may need long.
}, 600_000)
afterAll(async () => {
  await operator?.close()
  await system?.[Symbol.asyncDispose]()
  await model?.[Symbol.asyncDispose]()
})

const words = 'You have ordered nothing so far, which can be changed at any time.'
let go: () => void
/** Calls a tool first; then begins to answer, and goes on when it is told to. */
beforeEach(() => {
  const hold = Promise.withResolvers<void>()
  go = hold.resolve
  model.reply = ({ messages }): Reply =>
    messages.at(-1)?.role === 'tool' ? { text: words, hold: hold.promise } : { call: 'list_orders', arguments: '{}' }
})

interface RunEvent {
  readonly seq: number | null
  readonly event: {
    readonly kind: string
    readonly offset: number
    readonly text: string
    readonly toolCall?: { readonly tool: string; readonly status: string }
    readonly run?: {
      readonly status: string
      readonly lastSeq: number
      readonly message: { readonly text: string } | null
    }
  }
}
interface Result {
  readonly data?: { readonly chatRunEvents: RunEvent | null } | null
  readonly errors?: readonly { readonly extensions?: Readonly<Record<string, unknown>> }[]
}

const query = `subscription ($id: ID!, $after: Int) { chatRunEvents(runId: $id, afterSeq: $after) { seq event { kind: __typename
  ... on ChatTextDelta { offset text } ... on ChatToolCallChanged { toolCall { tool status } }
  ... on ChatRunEnded { run { status lastSeq message { text } } } } } }`

/** What graphql-sse, as it is, makes of a stream. */
function listen(replica: Replica, token: string | null, variables: { id: string; after?: number }) {
  const client = createClient({
    url: `${replica.gateway}/graphql/stream`,
    headers: token === null ? {} : { authorization: `Bearer ${token}` },
    retryAttempts: 0,
  })
  const results = client.iterate({ query, variables }) as AsyncIterator<Result>
  const seen: Result[] = []
  const read = async () => {
    const { value, done } = await results.next()
    if (!done) seen.push(value)
    return done ? null : value
  }
  return {
    seen,
    read,
    async until(found: (event: RunEvent) => boolean): Promise<void> {
      for (let next = await read(); next; next = await read()) {
        if (next.data?.chatRunEvents && found(next.data.chatRunEvents)) return
        if (next.errors) break
      }
      throw new Error(`The stream ended: ${JSON.stringify(seen)}`)
    },
    async rest(): Promise<readonly Result[]> {
      while (await read());
      return seen
    },
    leave: () => client.dispose(),
  }
}
const events = (results: readonly Result[]) => results.flatMap(({ data }) => data?.chatRunEvents ?? [])
const stored = (results: readonly Result[]) =>
  events(results).flatMap(({ seq, event }) =>
    seq === null ? [] : [[seq, event.toolCall?.status ?? event.run?.status]],
  )
/** As a client that follows offsets has it. */
const textOf = (results: readonly Result[], before = '') =>
  events(results).reduce(
    (text, { event }) => (event.kind === 'ChatTextDelta' ? text.slice(0, event.offset) + event.text : text),
    before,
  )
const codes = (results: readonly Result[]) =>
  results.flatMap(({ errors = [] }) => errors.map(({ extensions }) => extensions?.['code']))
const isText = ({ event }: RunEvent) => event.kind === 'ChatTextDelta'

let texts = 0
async function send(token: string, replica = one): Promise<string> {
  const input = { text: 'what did I order?', idempotencyKey: `stream-${++texts}`, waitMs: 0 }
  const { body } = await replica.graphql(
    token,
    'mutation ($input: ChatSendInput!) { chatSend(input: $input) { run { id } } }',
    { input },
  )
  return body.data?.['chatSend'].run.id as string
}
const whole = [
  [1, 'PROPOSED'],
  [2, 'RUNNING'],
  [3, 'SUCCEEDED'],
  [4, 'COMPLETED'],
]

describe('a run that is listened to', () => {
  it('is the same through both gateways, text included', async () => {
    const token = await system.token('ada')
    const id = await send(token)
    const streams = system.all.map((replica) => listen(replica, token, { id }))
    for (const stream of streams) await stream.until(isText)
    go()
    for (const stream of streams) {
      const results = await stream.rest()
      expect(stored(results)).toEqual(whole)
      expect(textOf(results)).toBe(words)
      expect(events(results).at(-1)?.event.run).toEqual({ status: 'COMPLETED', lastSeq: 4, message: { text: words } })
      expect(codes(results)).toEqual([])
    }
  })

  it('goes on where a broken connection left off, on the other replica', async () => {
    const token = await system.token('ada')
    const id = await send(token)
    const first = listen(one, token, { id })
    await first.until(({ seq }) => seq === 2)
    first.leave()
    const second = listen(other, token, { id, after: 2 })
    await second.until(isText)
    go()
    const results = await second.rest()
    expect(stored(results)).toEqual(whole.slice(2))
    expect(textOf(results, textOf(first.seen))).toBe(words)
  })
})

/** The client of the guide. */
async function fromGuide() {
  const markdown = await readFile(join(root, 'docs/guides/streams.md'), 'utf8')
  const [, code = ''] = /^```ts\n(.*?)^```$/ms.exec(markdown) ?? []
  const file = join(import.meta.dirname, '../.reports/streams-guide.ts')
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, code)
  return (await import(/* @vite-ignore */ file)) as {
    followRun(options: {
      gateway: string
      runId: string
      accessToken: () => Promise<string>
      show: (text: string) => void
    }): Promise<{ status: string; text: string }>
  }
}

describe('docs/guides/streams.md', () => {
  it('has a client that shows an answer as it is written, once', async () => {
    const { followRun } = await fromGuide()
    const token = await system.token('ada')
    const shown: string[] = []
    const show = (text: string) => {
      shown.push(text)
      go()
    }
    const follow = (runId: string, as = token) =>
      followRun({ gateway: one.gateway, runId, accessToken: () => Promise.resolve(as), show })
    const runId = await send(token)
    expect(await follow(runId)).toEqual({ status: 'COMPLETED', text: words })
    expect(shown.length).toBeGreaterThan(1)
    expect(shown.at(-1)).toBe(words)
    for (const text of shown) expect(words.startsWith(text)).toBe(true)
    await expect(follow(`run_${'0'.repeat(32)}`)).rejects.toThrow('There is no such run.')
    await expect(follow(runId, await system.token('ada', 'profile'))).rejects.toThrow('UNAUTHORIZED_FIELD_OR_TYPE')
  })
})

describe('who may listen', () => {
  it('[P6] nobody without a credential, or without the scope', async () => {
    const token = await system.token('ada')
    const id = await send(token)
    const [nobody, program] = [listen(one, null, { id }), listen(one, await system.token('ada', 'profile'), { id })]
    expect(codes(await nobody.rest())).toEqual(['UNAUTHENTICATED'])
    expect(codes(await program.rest())).toEqual(['UNAUTHORIZED_FIELD_OR_TYPE'])
    for (const { seen } of [nobody, program]) expect(seen).toMatchObject([{ data: { chatRunEvents: null } }])
    const allowed = listen(one, await system.token('ada', 'chat'), { id })
    await allowed.until(isText)
    go()
    expect(stored(await allowed.rest())).toEqual(whole)
  })

  it("[P7] nobody to another user's run, which is as one that does not exist", async () => {
    const id = await send(await system.token('ada'))
    const ben = await system.token('ben')
    const [foreign, none] = [listen(one, ben, { id }), listen(one, ben, { id: `run_${'0'.repeat(32)}` })]
    const nothing = [{ data: { chatRunEvents: null }, extensions: { txn: expect.any(String) } }]
    expect(await foreign.rest()).toEqual(nothing)
    expect(await none.rest()).toEqual(nothing)
    go()
  })
})

describe('a stream that has to end', () => {
  it('[P11] ends on every replica within a second of its user being ended, and nobody else', async () => {
    const [token, ben] = [await system.token('ada'), await system.token('ben')]
    const [id, bens] = [await send(token), await send(ben)]
    const streams = system.all.map((replica) => listen(replica, token, { id }))
    const kept = listen(other, ben, { id: bens })
    for (const stream of [...streams, kept]) await stream.until(isText)
    const begun = performance.now()
    await operator.revoke({ kind: 'subject', issuer: null, subject: 'usr_ada' }, 'OPERATOR')
    for (const stream of streams) expect(codes(await stream.rest())).toEqual(['SESSION_ENDED'])
    expect(performance.now() - begun).toBeLessThan(1000)
    go()
    expect(stored(await kept.rest())).toEqual(whole)
  })

  it('says so when its orchestrator is killed, and goes on through the other', async () => {
    const token = await system.token('ben')
    const id = await send(token, one)
    const first = listen(one, token, { id })
    await first.until(isText)
    const { orchestrator } = one.processes
    orchestrator.kill('SIGKILL')
    await once(orchestrator, 'exit')
    expect(codes(await first.rest())).toEqual(['SUBGRAPH_UNAVAILABLE'])
    const last = stored(first.seen).at(-1)?.[0] as number
    go()
    const second = listen(other, token, { id, after: last })
    const results = await second.rest()
    expect([...stored(first.seen), ...stored(results)]).toEqual(whole)
    expect(textOf(results, textOf(first.seen))).toBe(words)
    expect(events(results).at(-1)?.event.run?.message?.text).toBe(words)
  }, 60_000)

  it('says so when its gateway stops, which does not wait for it', async () => {
    const token = await system.token('ben')
    const id = await send(token, other)
    const stream = listen(other, token, { id })
    await stream.until(isText)
    const exited = once(other.processes.edge, 'exit')
    other.processes.edge.kill('SIGTERM')
    expect(codes(await stream.rest())).toEqual(['UNAVAILABLE'])
    expect(await exited).toEqual([0, null])
    go()
  })
})
