import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { Revocable } from '@behalf/identity'
import pg from 'pg'
import { expect } from 'vitest'
import { grant, type Trust } from '../fixtures.ts'
import { createRevocationFeed, type RevocationFeed } from './revocation-feed.ts'

export const withinASecond = { timeout: 1000, interval: 5 }
/** A machine that has other things to do may be late, but not always. */
export const again = { retry: 2 }
export const seconds = (from = 0) => Math.floor(Date.now() / 1000) + from

/** What other gateways know. */
export function createFeeds() {
  const feeds: RevocationFeed[] = []
  return {
    async start(options: Parameters<typeof createRevocationFeed>[0]): Promise<RevocationFeed> {
      const feed = createRevocationFeed(options)
      feeds.push(feed)
      await feed.start()
      return feed
    },
    closeAll: () => Promise.all(feeds.splice(0).map((feed) => feed.close())),
  }
}

let people = 0
/** Somebody whom no earlier test has ended: what a process knows outlives the rows. */
export async function someone({ admin }: Trust): Promise<Revocable & { readonly issuer: string }> {
  const subject = `usr_p${++people}`
  await admin.query(`insert into subject values ('${grant.issuer}', $1, $1, 'acme', '{}')`, [subject])
  return { issuer: grant.issuer, subject, session: `sid-p${people}`, issuedAt: seconds(-60), delegation: null }
}

/** Waits until PostgreSQL says that a statement waits for a lock. */
export async function lockWait({ admin }: Trust): Promise<void> {
  const sql = `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`
  await expect.poll(async () => (await admin.query(sql)).rowCount).toBe(1)
}

/** Lets nobody read revocations until it is released. On a connection of its own: in a transaction, what is active is seen once. */
export async function lockRevocations({ database }: Trust): Promise<AsyncDisposable & { release(): Promise<void> }> {
  const client = new pg.Client({ connectionString: database.url })
  await client.connect()
  await client.query('begin; lock table authority.revocation in access exclusive mode')
  let released: Promise<void> | undefined
  const release = () => (released ??= client.end())
  return { release, [Symbol.asyncDispose]: release }
}

/** A way to PostgreSQL on which connections can stop to carry anything, without an end that anybody could see. */
export async function freezingProxy(url: string) {
  const target = new URL(url)
  const sockets = new Set<Socket>()
  const server = createServer((inward) => {
    const outward = connect(Number(target.port), target.hostname)
    for (const socket of [inward, outward]) {
      sockets.add(socket)
      socket.on('error', () => undefined)
    }
    inward.pipe(outward)
    outward.pipe(inward)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const through = new URL(url)
  through.port = String((server.address() as AddressInfo).port)
  return {
    url: through.href,
    /** Connections of now, not those that are made later. */
    freeze() {
      for (const socket of sockets) socket.unpipe().pause()
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
