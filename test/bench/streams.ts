import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { createClient } from 'graphql-sse'
import { type Replica, startReplicas } from '../support/replicas.ts'

// How long a token takes from a model server's socket to a client, and what an idle stream costs. It asserts nothing.
// node --conditions=@behalf/source test/bench/streams.ts [tokens] [streams]
const [tokens = 300, idle = 200] = process.argv.slice(2).map(Number)
const everyMs = 20

let texts = 0
const written: number[] = []
const model = createServer((request, response) => {
  void (async () => {
    await request.resume().toArray()
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    const send = (delta: object, finish: string | null = null) =>
      response.write(
        `data: ${JSON.stringify({ id: '1', object: 'chat.completion.chunk', created: 0, model: 'm', choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`,
      )
    // Until everybody listens: first two, then many.
    await pause(texts === 1 ? 2000 : 20_000)
    for (let index = 0; index < tokens; index++) {
      written[index] = performance.now()
      send({ content: ` t${index}` })
      await pause(everyMs)
    }
    send({}, 'stop')
    response.end('data: [DONE]\n\n')
  })()
})
model.listen(0, '127.0.0.1')
await once(model, 'listening')

const query = `subscription ($id: ID!) { chatRunEvents(runId: $id) { event { ... on ChatTextDelta { text } } } }`
type Data = { readonly chatRunEvents: { readonly event: { readonly text?: string } } }

function follow(replica: Replica, token: string, id: string) {
  const client = createClient({
    url: `${replica.gateway}/graphql/stream`,
    headers: { authorization: `Bearer ${token}` },
  })
  const took: number[] = []
  const done = (async () => {
    for await (const { data } of client.iterate<Data>({ query, variables: { id } })) {
      const now = performance.now()
      for (const [, index] of (data?.chatRunEvents.event.text ?? '').matchAll(/t(\d+)/g))
        took[Number(index)] = now - (written[Number(index)] ?? now)
    }
    return took
  })()
  return { done, leave: () => client.dispose() }
}

const rank = (values: readonly number[], at: number) => {
  const sorted = values.toSorted((a, b) => a - b)
  return (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * at))] ?? Number.NaN).toFixed(2)
}
const residentKb = async (pid: number | undefined) =>
  Number(/^VmRSS:\s+(\d+)/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1])

await using system = await startReplicas({
  orchestrator: { MODEL_BASE_URL: `http://127.0.0.1:${(model.address() as AddressInfo).port}/v1`, MODEL_NAME: 'm' },
  gateway: { LIMIT_STREAMS: 'user=20000', LIMIT_USER: 'requests=off,cost=off', LIMIT_TENANT: 'requests=off,cost=off' },
  // Its proxies would be measured, too.
  direct: true,
})
const [one, other] = system.all
console.log(`two replicas are up after ${Math.round(performance.now() / 1000)} s`)
const token = await system.token('ada')
async function send(): Promise<string> {
  const input = { text: 'count', idempotencyKey: `bench-${++texts}`, waitMs: 0 }
  const { body } = await one.graphql(
    token,
    'mutation ($input: ChatSendInput!) { chatSend(input: $input) { run { id } } }',
    { input },
  )
  return body.data?.['chatSend'].run.id as string
}

// The run is worked by whichever replica is first, so both are asked: the faster one has it.
const id = await send()
const followed = system.all.map((replica) => follow(replica, token, id))
const times = await Promise.all(followed.map(({ done }) => done))
const [same = [], others = []] = times.toSorted((a, b) => Number(rank(a, 0.5)) - Number(rank(b, 0.5)))
for (const [name, took] of [
  ['same replica', same],
  ['other replica', others],
] as const)
  console.log(
    `${name}: p50 ${rank(took, 0.5)} ms, p95 ${rank(took, 0.95)} ms, p99 ${rank(took, 0.99)} ms (${took.length} tokens)`,
  )

const held = await send()
await pause(500)
const { edge, orchestrator } = other.processes
const memory = () => Promise.all([residentKb(edge.pid), residentKb(orchestrator.pid)])
const streams = [follow(other, token, held)]
await pause(1000)
const before = await memory()
for (let count = 0; count < idle; count++) streams.push(follow(other, token, held))
await pause(3000)
const after = await memory()
console.log(
  `${idle} streams: gateway ${((after[0] - before[0]) / idle).toFixed(1)} KB each, orchestrator ${((after[1] - before[1]) / idle).toFixed(1)} KB each (resident)`,
)
await Promise.all(streams.map(({ done }) => done))
model.closeAllConnections()
model.close()
