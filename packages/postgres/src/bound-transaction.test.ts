import { AppError, type Identity } from '@behalf/identity'
import fc from 'fast-check'
import { sql } from 'kysely'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bindTransaction } from './bound-transaction.ts'
import { ada, ben, caller, openShop, type OpenShop, type Shop } from '../fixtures/shop.ts'
import { postgres, type Postgres } from './index.ts'

let shop: OpenShop
/** With a single connection, so that whoever comes next gets the same one. */
let single: Postgres<Shop>
beforeAll(async () => {
  shop = await openShop()
  single = shop.connect({ max: 1 })
})
afterAll(() => shop[Symbol.asyncDispose]())

const pid = sql<{ pid: number }>`select pg_backend_pid() as pid`
const settings = sql<Record<'sub' | 'tenant' | 'actor', string | null> & { scopes: string[] | null }>`
  select behalf.sub() as sub, behalf.tenant() as tenant, behalf.scopes() as scopes, behalf.actor() as actor`
const notes = async (who: Identity = ada) => {
  const bound = single.bind(who, 'read')
  const rows = await bound.db.selectFrom('notes').select(['id', 'body']).execute()
  await bound.commit()
  return rows
}
const backends = async () =>
  (await shop.admin.query('select pid, state from pg_stat_activity where usename = $1', [shop.role])).rows as {
    pid: number
    state: string
  }[]

describe('a bound transaction', () => {
  it('opens nothing until the first query, and ends what it opened', async () => {
    const fresh = shop.connect({ max: 1 })
    const before = (await backends()).length
    const bound = fresh.bind(ada, 'write')
    await bound.commit()
    await bound.rollback()
    expect(await backends()).toHaveLength(before)
    await pid.execute(bound.db)
    expect((await backends()).some(({ state }) => state === 'idle in transaction')).toBe(true)
    await bound.commit()
    expect((await backends()).every(({ state }) => state === 'idle')).toBe(true)
  })

  it('runs all queries of a request on one connection, in one transaction', async () => {
    const bound = shop.db.bind(ada, 'write')
    const ids = await Promise.all(
      Array.from(
        { length: 20 },
        async () =>
          (await sql<{ id: string }>`select pg_backend_pid() || '/' || pg_current_xact_id() as id`.execute(bound.db))
            .rows[0]?.id,
      ),
    )
    expect(new Set(ids).size).toBe(1)
    await bound.rollback()
  })

  it('tells PostgreSQL who is calling', async () => {
    const bound = shop.db.bind(caller('usr_ada', { scopes: ['a:b', 'c'], agent: 'assistant' }), 'read')
    expect((await settings.execute(bound.db)).rows).toEqual([
      { sub: 'usr_ada', tenant: 'acme', scopes: ['a:b', 'c'], actor: 'assistant' },
    ])
    await bound.commit()
  })

  it('carries any name over as it is', async () => {
    const text = fc.string({ minLength: 1, unit: 'grapheme' }).filter((s) => !s.includes('\0') && s !== 'anonymous')
    await fc.assert(
      fc.asyncProperty(
        text,
        text,
        fc.array(text.filter((s) => !/\s/.test(s))),
        text,
        async (sub, tenant, scopes, agent) => {
          const bound = single.bind(caller(sub, { tenant, scopes, agent }), 'read')
          const { rows } = await settings.execute(bound.db)
          await bound.rollback()
          expect(rows).toEqual([{ sub, tenant, scopes: scopes.length > 0 ? scopes : null, actor: agent }])
        },
      ),
      { numRuns: 200, examples: [[`'; reset role; --`, `\\'`, [`"$1"`], '$$']] },
    )
  })

  it('refuses names that would be taken for something else', async () => {
    expect(() => single.bind(caller('usr_ada', { agent: '' }), 'read')).toThrow('An agent has a name')
    expect(() => single.bind(caller('usr_ada', { scopes: ['a b'] }), 'read')).toThrow('has no spaces')
    expect(() => single.bind(caller('usr_ada', { scopes: [''] }), 'read')).toThrow('has no spaces')
    const bound = single.bind(caller('usr_ada\0'), 'read')
    await expect(pid.execute(bound.db)).rejects.toThrow('cannot be stored')
    await bound.rollback()
    expect(await notes()).toHaveLength(1)
  })

  it('leaves nothing of a caller for the next one on the same connection', async () => {
    const first = single.bind(caller('usr_ada', { scopes: ['orders:read-all'], agent: 'x' }), 'write')
    const { rows } = await pid.execute(first.db)
    await first.commit()
    const nobody = single.bind(caller('anonymous'), 'read')
    expect((await pid.execute(nobody.db)).rows).toEqual(rows)
    expect((await settings.execute(nobody.db)).rows).toEqual([{ sub: null, tenant: null, scopes: null, actor: null }])
    await nobody.rollback()
    expect((await notes(ben)).map(({ id }) => id)).toEqual(['n-ben'])
  })

  it('keeps what was committed, and opens another one for what comes after', async () => {
    const bound = shop.db.bind(ada, 'write')
    await bound.db.updateTable('notes').set({ body: 'kept' }).execute()
    await bound.commit()
    await bound.db.updateTable('notes').set({ body: 'dropped' }).execute()
    expect((await settings.execute(bound.db)).rows[0]?.sub).toBe('usr_ada')
    await bound.rollback()
    expect(await notes()).toEqual([{ id: 'n-ada', body: 'kept' }])
  })

  it('says so when PostgreSQL rolls back instead of committing', async () => {
    const bound = single.bind(ada, 'write')
    await bound.db.updateTable('notes').set({ body: 'lost' }).execute()
    await expect(sql`select 1 / 0`.execute(bound.db)).rejects.toMatchObject({ code: '22012' })
    await expect(pid.execute(bound.db)).rejects.toMatchObject({ code: '25P02' })
    await expect(bound.commit()).rejects.toMatchObject({ code: 'INTERNAL' })
    expect((await notes())[0]?.body).not.toBe('lost')
  })

  it('for reading starts over after a failed query, so that one field does not take its siblings along', async () => {
    const bound = single.bind(ada, 'read')
    const [failed, found] = await Promise.allSettled([
      sql`select 1 / 0`.execute(bound.db),
      bound.db.selectFrom('notes').select('id').execute(),
    ])
    expect(failed.status).toBe('rejected')
    expect(found).toMatchObject({ value: [{ id: 'n-ada' }] })
    await bound.commit()
  })

  it('counts what a statement changed, and nothing where none could', async () => {
    const bound = single.bind(ada, 'write')
    expect(await bound.db.updateTable('notes').set({ body: 'x' }).executeTakeFirst()).toEqual({ numUpdatedRows: 1n })
    const none = bound.db.deleteFrom('notes').where('id', '=', 'n-ben')
    expect(await none.executeTakeFirst()).toEqual({ numDeletedRows: 0n })
    expect(await pid.execute(bound.db)).not.toHaveProperty('numAffectedRows')
    await bound.rollback()
  })

  it('reads amounts and dates as text, exactly', async () => {
    const bound = single.bind(ada, 'write')
    const row = await bound.db
      .updateTable('orders')
      .set({ total: '12345678901234567.89', placed_on: '2026-03-29' })
      .returning(['total', 'placed_on'])
      .executeTakeFirst()
    expect(row).toEqual({ total: '12345678901234567.89', placed_on: '2026-03-29' })
    await bound.rollback()
  })
})

describe('a nested transaction', () => {
  it('undoes its own work only', async () => {
    const bound = single.bind(ada, 'write')
    await bound.db.updateTable('notes').set({ body: 'outer' }).execute()
    await expect(
      bound.db.transaction().execute(async (trx) => {
        await trx.updateTable('notes').set({ body: 'inner' }).execute()
        await sql`select 1 / 0`.execute(trx)
      }),
    ).rejects.toMatchObject({ code: '22012' })
    await expect(
      bound.savepoint(async () => {
        await bound.db.updateTable('notes').set({ body: 'inner' }).execute()
        throw new Error('no')
      }),
    ).rejects.toThrow('no')
    expect(await bound.savepoint(async () => bound.db.selectFrom('notes').select('body').execute())).toEqual([
      { body: 'outer' },
    ])
    await bound.commit()
    expect(await notes()).toEqual([{ id: 'n-ada', body: 'outer' }])
  })

  it('may hold another, and savepoints with names', async () => {
    const bound = single.bind(ada, 'write')
    const trx = await bound.db.startTransaction().execute()
    await trx.updateTable('notes').set({ body: 'one' }).execute()
    await trx.commit().execute()
    await bound.savepoint(() =>
      bound.savepoint(async () => {
        await bound.db.updateTable('notes').set({ body: 'two' }).execute()
      }),
    )
    expect(await bound.db.selectFrom('notes').select('body').execute()).toEqual([{ body: 'two' }])
    await bound.rollback()
  })

  it('makes siblings wait, so that it does not undo their work', async () => {
    const bound = single.bind(ada, 'write')
    const entered = Promise.withResolvers<void>()
    const gate = Promise.withResolvers<void>()
    const nested = bound.db.transaction().execute(async () => {
      entered.resolve()
      await gate.promise
      throw new Error('undone')
    })
    await entered.promise
    const sibling = bound.db.updateTable('notes').set({ body: 'sibling' }).execute()
    gate.resolve()
    await expect(nested).rejects.toThrow('undone')
    await sibling
    expect(await bound.db.selectFrom('notes').select('body').execute()).toEqual([{ body: 'sibling' }])
    await bound.rollback()
  })

  it('that never ends gives others an error in time, and the connection back', async () => {
    const pool = new pg.Pool({ connectionString: shop.url, max: 1, pipeline: true })
    const bound = bindTransaction<Shop>(pool, ada, 'write', 50)
    const nested = await bound.db.startTransaction().execute()
    await pid.execute(nested)
    await expect(pid.execute(bound.db)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await expect(bound.commit()).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await bound.rollback()
    expect([pool.totalCount, pool.idleCount, pool.waitingCount]).toEqual([1, 1, 0])
    await pool.end()
  })

  it('open at commit makes that fail, and undoes all', async () => {
    const bound = single.bind(ada, 'write')
    await expect(
      bound.db.transaction().execute(async (trx) => {
        await trx.updateTable('notes').set({ body: 'half' }).execute()
        await bound.commit()
      }),
    ).rejects.toMatchObject({ code: 'INTERNAL' })
    expect((await notes())[0]?.body).not.toBe('half')
  })
})

describe('a resolver cannot, by mistake,', () => {
  it.each([
    'commit',
    ' COMMIT',
    '-- x\n rollback',
    '/* a * b */ set role postgres',
    'begin',
    'savepoint a',
    'abort',
    'end',
    `select set_config('behalf.sub', 'usr_ben', true)`,
    'reset all',
    'discard all',
    `prepare transaction 'x'`,
    `;set local behalf.sub = 'usr_ben'`,
    `select SET_CONFIG('behalf.sub', 'usr_ben', true)`,
    `do $$ begin set local behalf.sub = 'usr_ben'; end $$`,
    'declare held cursor with hold for select * from notes',
    'fetch all from held',
    'lock table notes',
    'select pg_advisory_lock(1)',
    'select pg_try_advisory_lock_shared(1)',
  ])('run: %s', async (statement) => {
    const bound = single.bind(ada, 'write')
    await expect(sql.raw(statement).execute(bound.db)).rejects.toThrow('by the framework')
    expect((await settings.execute(bound.db)).rows[0]?.sub).toBe('usr_ada')
    await bound.rollback()
  })

  it.each([
    '-- all of them\nselect id from notes',
    '/* all */ SELECT id from notes',
    'with mine as (select id from notes) select id from mine',
    '(select id from notes) union (select id from notes)',
    'table notes',
    'select id from notes where pg_try_advisory_xact_lock(7)',
  ])('but queries: %s', async (statement) => {
    const bound = single.bind(ada, 'write')
    expect((await sql.raw(statement).execute(bound.db)).rows).toMatchObject([{ id: 'n-ada' }])
    await bound.rollback()
  })

  it('run two statements as one', async () => {
    const bound = single.bind(ada, 'write')
    await expect(sql.raw('select 1; commit').execute(bound.db)).rejects.toMatchObject({ code: '42601' })
    await bound.rollback()
  })

  it('widen the transaction, end it, or stream from it', async () => {
    const bound = single.bind(ada, 'read')
    await expect(
      bound.db
        .transaction()
        .setAccessMode('read write')
        .execute(async () => undefined),
    ).rejects.toThrow('access mode')
    await expect(
      bound.db
        .transaction()
        .setIsolationLevel('serializable')
        .execute(async () => undefined),
    ).rejects.toThrow('isolation level')
    await expect(bound.db.destroy()).rejects.toThrow('by the framework')
    await expect(async () => {
      for await (const row of bound.db.selectFrom('notes').selectAll().stream()) void row
    }).rejects.toThrow('stream')
    await expect(sql`set transaction read write`.execute(bound.db)).rejects.toThrow('by the framework')
    expect((await settings.execute(bound.db)).rows[0]?.sub).toBe('usr_ada')
    await bound.rollback()
  })

  it('end it in a way that is not foreseen: the connection is destroyed, and nothing goes on', async () => {
    const bound = single.bind(ada, 'write')
    const { rows } = await pid.execute(bound.db)
    await expect(sql`/* /* */ select */ commit`.execute(bound.db)).rejects.toThrow('ended the bound transaction')
    await expect(pid.execute(bound.db)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await expect(bound.commit()).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await bound.rollback()
    expect((await pid.execute(bound.db)).rows).not.toEqual(rows)
    await bound.rollback()
  })
})

describe('after its end', () => {
  const states = async () => (await backends()).map(({ state }) => state)

  it('nothing begins: neither what waited for its turn, nor what comes later', async () => {
    const bound = shop.connect({ max: 1 }).bind(ada, 'read')
    const waiting = [1, 2, 3].map(() => bound.db.selectFrom('notes').selectAll().execute())
    await bound.end()
    const outcomes = await Promise.allSettled([...waiting, pid.execute(bound.db), bound.commit()])
    expect(outcomes.slice(1)).toEqual(
      outcomes.slice(1).map(() => ({ status: 'rejected', reason: expect.objectContaining({ code: 'UNAVAILABLE' }) })),
    )
    expect(await states()).not.toContain('idle in transaction')
  })

  it('a connection that arrives late is given back, while a rollback lets the next query begin', async () => {
    const two = shop.connect({ max: 1 })
    const holder = two.bind(ben, 'read')
    await pid.execute(holder.db)
    const late = two.bind(ada, 'read')
    const query = pid.execute(late.db).catch((error: unknown) => error)
    // By then it waits for the only connection.
    await new Promise(setImmediate)
    await late.end()
    await holder.rollback()
    expect(await query).toMatchObject({ code: 'UNAVAILABLE' })
    expect(await states()).not.toContain('idle in transaction')
    const next = two.bind(ada, 'read')
    await pid.execute(next.db)
    await next.rollback()
    expect((await pid.execute(next.db)).rows).toHaveLength(1)
    await next.end()
  })
})

describe('when the connection is lost', () => {
  const kill = (id: number | undefined) => shop.admin.query('select pg_terminate_backend($1)', [id])

  it('the query fails as UNAVAILABLE with its cause, and the next request gets another connection', async () => {
    const bound = single.bind(ada, 'write')
    const first = (await pid.execute(bound.db)).rows[0]?.pid
    const running = sql`select pg_sleep(60)`.execute(bound.db)
    await Promise.all([
      expect(running).rejects.toSatisfy(
        (error) => error instanceof AppError && error.code === 'UNAVAILABLE' && error.cause instanceof Error,
      ),
      kill(first),
    ])
    await bound.rollback()
    const next = single.bind(ada, 'read')
    expect((await pid.execute(next.db)).rows[0]?.pid).not.toBe(first)
    await next.commit()
  })

  it('between two queries, nothing crashes, and what was written is not taken for committed', async () => {
    const bound = single.bind(ada, 'write')
    const first = (await pid.execute(bound.db)).rows[0]?.pid
    await bound.db.updateTable('notes').set({ body: 'gone' }).execute()
    await kill(first)
    await expect(pid.execute(bound.db)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await expect(pid.execute(bound.db)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await expect(bound.commit()).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect((await notes())[0]?.body).not.toBe('gone')
    await bound.rollback()
    expect((await pid.execute(bound.db)).rows).toHaveLength(1)
    await bound.rollback()
  })

  it('while nobody asks anything of it, nothing crashes', async () => {
    const bound = single.bind(ada, 'write')
    const first = (await pid.execute(bound.db)).rows[0]?.pid
    await kill(first)
    await expect.poll(async () => (await backends()).some((backend) => backend.pid === first)).toBe(false)
    // Other traffic comes and goes meanwhile, so that the loss is heard of before the next query, not by it.
    for (let i = 0; i < 50; i++) await backends()
    await expect(bound.commit()).rejects.toMatchObject({
      code: expect.stringMatching(/^(UNAVAILABLE|OUTCOME_UNKNOWN)$/),
    })
    await bound.rollback()
  })

  it('while it commits, the outcome is unknown, and said to be', async () => {
    await shop.admin
      .query(`create function slowly() returns trigger language plpgsql as 'begin perform pg_sleep(60); return null; end';
      create constraint trigger slowly after update on notes initially deferred for each row execute function slowly()`)
    const bound = single.bind(ada, 'write')
    const first = (await pid.execute(bound.db)).rows[0]?.pid
    await bound.db.updateTable('notes').set({ body: 'perhaps' }).execute()
    const committed = bound.commit().then(
      () => 'COMMITTED',
      (error: AppError) => error.code,
    )
    await expect
      .poll(
        async () => (await shop.admin.query('select wait_event from pg_stat_activity where pid = $1', [first])).rows,
      )
      .toEqual([{ wait_event: 'PgSleep' }])
    await kill(first)
    expect(await committed).toBe('OUTCOME_UNKNOWN')
    await shop.admin.query('drop trigger slowly on notes; drop function slowly()')
  })

  it('the database away altogether is UNAVAILABLE', async () => {
    const away = postgres('postgres://shop:x@127.0.0.1:1/postgres')
    await expect(pid.execute(away.bind(ada, 'read').db)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await expect(away.ready()).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await away.close()
    await expect(single.ready()).resolves.toBeUndefined()
  })

  it('a statement that takes too long is UNAVAILABLE too', async () => {
    const bound = shop.connect({ statementTimeoutMs: 100 }).bind(ada, 'read')
    await expect(sql`select pg_sleep(60)`.execute(bound.db)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await bound.rollback()
  })
})
