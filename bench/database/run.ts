import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Identity } from '@behalf/identity'
import { postgres } from '@behalf/postgres'
import { testDatabase } from '@behalf/postgres/embedded'
import { testPrincipal } from '@behalf/testing'
import { Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import { countRoundTrips } from '../../packages/postgres/fixtures/count-round-trips.ts'

export interface DatabaseSample {
  /** The same query: of a transaction in which row-level security knows the caller, or by itself, of a superuser. */
  readonly contestant: 'bound' | 'plain'
  readonly run: number
  /** Microseconds of this process's CPU time for each load. */
  readonly cpu: number
  /** Milliseconds that half of the loads took at most, one after another. */
  readonly p50: number
  readonly roundTrips: number
}

interface Tables {
  orders: { id: string; user_id: string; tenant: string; total: string }
}

const migration = `
create table orders (id text primary key, user_id text not null, tenant text not null, total text not null);
select behalf.own('orders', 'user_id', 'tenant');
insert into orders select 'ord_' || n, 'usr_' || n % 1000, 'acme', n from generate_series(1, 20000) n;
`
/** Of one user's orders, ten: a batch of entities. */
const keys = Array.from({ length: 10 }, (_, index) => `ord_${index * 1000 + 7}`)
const load = (db: Kysely<Tables>) => db.selectFrom('orders').selectAll().where('id', 'in', keys).execute()

/** A batched load of entities, by turns bound to its caller and by itself, from an embedded PostgreSQL. */
export async function measureDatabase(runs: number, requests: number): Promise<DatabaseSample[]> {
  const folder = mkdtempSync(join(tmpdir(), 'behalf-bench-'))
  writeFileSync(join(folder, '001-orders.sql'), migration)
  await using database = await testDatabase()
  const url = await database.provision('bench', folder)
  rmSync(folder, { recursive: true })
  // What a context token would say of them.
  const caller = {
    ...testPrincipal('7', { tenant: 'acme' }),
    subject: 'usr_7',
    txn: '',
    approval: null,
  } as unknown as Identity

  const open = (of: string, admin: string) => {
    const db = postgres<Tables>({ url: of, max: 1 })
    const pool = new pg.Pool({ connectionString: admin, max: 1, options: '-c search_path=bench' })
    const plain = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) })
    const contestants = {
      async bound() {
        const transaction = db.bind(caller, 'read')
        const rows = await load(transaction.db)
        await transaction.end()
        return rows
      },
      plain: () => load(plain),
    }
    return { contestants, close: () => Promise.all([db.close(), plain.destroy()]) }
  }

  async function roundTripsOf(contestant: DatabaseSample['contestant']): Promise<number> {
    await using own = await countRoundTrips(url)
    await using admin = await countRoundTrips(database.url)
    const { contestants, close } = open(own.url, admin.url)
    await contestants[contestant]()
    const trips = await (contestant === 'bound' ? own : admin).during(contestants[contestant])
    await close()
    return trips
  }
  const roundTrips = { bound: await roundTripsOf('bound'), plain: await roundTripsOf('plain') }

  const { contestants, close } = open(url, database.url)
  const samples: DatabaseSample[] = []
  for (let run = -1; run < runs; run++)
    for (const contestant of run % 2 === 0 ? (['bound', 'plain'] as const) : (['plain', 'bound'] as const)) {
      const durations: number[] = []
      const before = process.cpuUsage()
      for (let request = 0; request < requests; request++) {
        const begun = performance.now()
        const { length } = await contestants[contestant]()
        durations.push(performance.now() - begun)
        if (length !== keys.length) throw new Error(`${contestant} found ${length} of ${keys.length}.`)
      }
      const { user, system } = process.cpuUsage(before)
      if (run < 0) continue
      const p50 = durations.toSorted((a, b) => a - b)[requests >> 1] ?? Number.NaN
      const sample = { contestant, run, cpu: (user + system) / requests, p50, roundTrips: roundTrips[contestant] }
      console.log(
        `${run} ${contestant} ${sample.cpu.toFixed(0)} us ${p50.toFixed(2)} ms ${sample.roundTrips} round trips`,
      )
      samples.push(sample)
    }
  await close()
  return samples
}
