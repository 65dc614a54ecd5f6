import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { AppError } from '@behalf/identity'
import pino from 'pino'
import { expect, it } from 'vitest'
import { RequestRecord } from '../audit/request-record.ts'
import { anonymous, toPrincipal } from '../authenticate/principal.ts'
import type { PlannedSubscription } from '../execute/plan/planned-subscription.ts'
import type { RequestContext } from '../execute/request-context.ts'
import { ClientStream, type StreamParts } from './client-stream.ts'

const until = 1000

/** A stream that has begun, with what it writes; `answer` is what becomes of each event. */
async function begun(answer: PlannedSubscription['answer'] = async ({ data }) => ({ data })) {
  const written: string[] = []
  const left: string[] = []
  let now = 0
  const response = new ServerResponse(new IncomingMessage(new Socket()))
  response.write = (text: unknown) => written.push(String(text)) > 0
  response.end = (text: unknown) => (written.push(String(text)), response)
  const server = {
    async execute(_asked: unknown, { subscribe }: RequestContext) {
      subscribe?.({ answer } as PlannedSubscription)
      return { result: { data: null } }
    },
  }
  const graph = { server, ask: () => ({ leave: () => void left.push('subgraph') }) }
  const graphs = {
    current: graph,
    take: () => ({ graph, [Symbol.dispose]: () => void left.push('graph') }),
    onReplaced: () => () => void left.push('changes'),
  }
  const parts = {
    graphs,
    audit: { ended: () => undefined },
    log: pino({ enabled: false }),
    stallMs: 1000,
    clock: () => now,
  }
  const caller = { principal: toPrincipal(anonymous), address: null, txn: 'txn', trace: {} }
  const stream = new ClientStream(caller, until, response, parts as unknown as StreamParts)
  const record = new RequestRecord('txn')
  await stream.begin({ query: '', variables: {} }, record)
  await stream.listen(record)
  return { stream, left, set: (ms: number) => (now = ms), said: () => written.join('') }
}
const event = (n: number) => ({ data: { n }, errors: [] })

it('an event that comes after the second in which its stream ends is not of it, whenever that is seen to', async () => {
  const { stream, set, said, left } = await begun()
  set(until * 1000 - 1)
  await stream.hear(event(1))
  set(until * 1000)
  await stream.hear(event(2))
  expect(said()).toContain('{"n":1}')
  expect(said()).not.toContain('{"n":2}')
  expect(said()).toContain('STREAM_EXPIRED')
  expect(left.toSorted()).toEqual(['changes', 'graph', 'subgraph'])
})

it.each([false, true])(
  '[P11] an event that is answered once its stream was refused is not of it (refused: %s)',
  async (is) => {
    const answered = Promise.withResolvers<void>()
    const { stream, said } = await begun(async ({ data }) => (await answered.promise, { data }))
    const heard = stream.hear(event(1))
    if (is) stream.refuse(new AppError('SESSION_ENDED'))
    answered.resolve()
    await heard
    expect(said().includes('{"n":1}')).toBe(!is)
    // Nor does what ends next say another reason.
    stream.over(null)
    stream.refuse(new AppError('UNAVAILABLE'))
    stream.close()
    expect(said().includes('SESSION_ENDED')).toBe(is)
    expect(said()).not.toContain('UNAVAILABLE')
  },
)
