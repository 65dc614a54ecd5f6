import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { startProbed } from '../start-probed.ts'
import type { Revoke, Revoked } from './gateway.ts'
import { createRows, type GrowthRow } from './growth-row.ts'
import { type Grown, startGrown } from './start-gateway.ts'

const heartbeatMs = 1000
/** Revocations of others while streams are open. */
const others = 1000

export async function growStreams(sizes: readonly number[]): Promise<GrowthRow[]> {
  const rows = createRows('open streams')
  for (const size of sizes) {
    const subgraph = await startProbed(join(import.meta.dirname, 'stream-subgraph.ts'), {
      name: 'stream-subgraph',
      core: 1,
      env: {},
      ready: /READY \S+/,
    })
    try {
      const [, streams = ''] = /READY (\S+)/.exec(subgraph.printed()) ?? []
      await using grown = await startGrown({ subgraphs: 2, tools: 1, streams, heartbeatMs })
      await measure(size, grown, rows)
    } finally {
      await subgraph.stop()
    }
  }
  return rows.all()
}

async function measure(size: number, grown: Grown, rows: ReturnType<typeof createRows>): Promise<void> {
  const { gateway } = grown
  // What is allocated once is not what a stream holds.
  const first = await openAll(grown, 100)
  await first.endedBy(() => revoke(grown, 'usr_u0', 1))
  await pause(500)
  const before = await gateway.held()
  const opening = gateway.cpuMs()
  const open = await openAll(grown, size)
  const opened = gateway.cpuMs() - opening
  const after = await gateway.held()
  const of = (what: 'heapUsed' | 'external' | 'resident') => (after[what] - before[what]) / 1000 / size
  rows.add(size, 'opening one', 'ms of CPU', 'no', opened / size)
  // Of a single one, it is what else happened meanwhile.
  if (size >= 100) {
    rows.add(size, 'heap of each', 'KB', 'no', of('heapUsed'))
    rows.add(size, 'resident memory of each', 'KB', 'no', of('resident'))
  }

  const seconds = 5
  const beats = open.heartbeats()
  const spent = await gateway.during('heartbeats', () => pause(seconds * 1000))
  const counted = open.heartbeats() - beats
  if (counted < size * (seconds - 2)) throw new Error(`${counted} heartbeats came of ${size} streams.`)
  rows.add(size, 'CPU for the heartbeats of all, every 15 s', 'ms a second', 'as it', (spent / counted) * (size / 15))

  const { microseconds } = await revoke(grown, 'usr_u1', others)
  rows.add(size, 'a revocation of somebody else', 'microseconds of CPU', 'no', microseconds / others)

  const begun = performance.now()
  const ending = gateway.cpuMs()
  await open.endedBy(() => revoke(grown, 'usr_u0', 1))
  rows.add(size, 'ending all by a revocation', 'ms', 'as it', performance.now() - begun)
  rows.add(size, 'ending all by a revocation', 'ms of CPU', 'as it', gateway.cpuMs() - ending)
}

async function revoke({ gateway: { child } }: Grown, subject: string, times: number): Promise<Revoked> {
  const heard = once(child, 'message')
  child.send({ revoke: subject, times } satisfies Revoke)
  return ((await heard) as [Revoked])[0]
}

/** Opens so many, some at a time, each on a socket of its own. */
async function openAll({ url, token }: Grown, count: number) {
  const { port } = new URL(url)
  const body = JSON.stringify({ query: 'subscription { ticks { at } }' })
  const request = `POST /graphql/stream HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\naccept: text/event-stream\r\nauthorization: Bearer ${token}\r\ncontent-length: ${body.length}\r\n\r\n${body}`
  const sockets: Socket[] = []
  let heartbeats = 0
  let ended = 0
  let isOver: (() => void) | null = null
  const one = () =>
    new Promise<void>((resolve, reject) => {
      const socket = connect(Number(port), '127.0.0.1', () => socket.write(request))
      sockets.push(socket)
      let begun = ''
      let last = ''
      socket.setEncoding('latin1').on('data', (text: string) => {
        if (!begun.includes('"at":1')) {
          begun += text
          if (begun.includes('"at":1')) resolve()
        } else if (text.includes(':\n\n')) heartbeats += text.split(':\n\n').length - 1
        if (text.includes('event: complete')) last = text
      })
      socket.on('error', reject)
      socket.on('close', () => {
        if (!begun.includes('"at":1')) reject(new Error(begun))
        if (last.includes('SESSION_ENDED') && ++ended === count) isOver?.()
      })
    })
  let next = 0
  await Promise.all(
    Array.from({ length: 64 }, async () => {
      while (next++ < count) await one()
    }),
  )
  return {
    heartbeats: () => heartbeats,
    /** Resolves once all were told that their session is over, and were closed. */
    async endedBy(end: () => Promise<unknown>): Promise<void> {
      await new Promise<void>((resolve) => {
        isOver = resolve
        void end()
      })
      for (const socket of sockets) socket.destroy()
    },
  }
}
