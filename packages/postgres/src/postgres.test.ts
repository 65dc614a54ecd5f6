import { sql } from 'kysely'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { ada, caller, openShop, type OpenShop } from '../fixtures/shop.ts'
import { postgres } from './index.ts'

let shop: OpenShop
beforeAll(async () => void (shop = await openShop()))
afterAll(() => shop[Symbol.asyncDispose]())

describe('room', () => {
  it('is there until too many wait for a connection, and when they are served', async () => {
    const single = shop.connect({ max: 1 })
    const holding = single.bind(ada, 'read')
    await holding.db.selectFrom('notes').select('id').execute()
    const waiting: Promise<void>[] = []
    for (let count = 0; count < 50; count++) {
      single.requireRoom()
      waiting.push(single.ready())
    }
    expect(() => single.requireRoom()).toThrow(expect.objectContaining({ code: 'UNAVAILABLE' }))
    shop.db.requireRoom()
    await holding.commit()
    await Promise.all(waiting)
    single.requireRoom()
  })

  it('is there until the first waits too long', async () => {
    const single = shop.connect({ max: 1, statementTimeoutMs: 2000 })
    const holding = single.bind(ada, 'read')
    await holding.db.selectFrom('notes').select('id').execute()
    const waits = single.ready()
    single.requireRoom()
    await vi.waitFor(() => expect(() => single.requireRoom()).toThrow(), { timeout: 1900 })
    await holding.commit()
    await waits
    single.requireRoom()
  })
})

describe('consume', () => {
  beforeEach(() => shop.admin.query('truncate behalf.seen_token'))
  const inAMinute = () => new Date(Date.now() + 60_000)

  it('is true once, of 50 at the same time in two processes', async () => {
    const other = shop.connect()
    const expiresAt = inAMinute()
    const all = await Promise.all(
      Array.from({ length: 50 }, (_, i) => (i % 2 === 0 ? shop.db : other).consume('jti', expiresAt)),
    )
    expect(all.filter(Boolean)).toHaveLength(1)
    expect(await shop.db.consume('jti-2', expiresAt)).toBe(true)
  })

  it('is known to its receiver only', async () => {
    await shop.db.consume('jti', inAMinute())
    const seen = async () => {
      const bound = shop.db.bind(ada, 'read')
      const { rows } = await sql`select id from behalf.seen_token`.execute(bound.db)
      await bound.commit()
      return rows
    }
    expect(await seen()).toEqual([{ id: 'jti' }])
    await shop.admin.query(`update behalf.seen_token set receiver = 'other'`)
    expect(await seen()).toEqual([])
  })

  it('is asked by nobody: nothing of the last caller is left on the connection', async () => {
    await shop.admin.query(
      `alter table behalf.seen_token add asked_by text default concat(behalf.sub(), behalf.tenant(), behalf.scopes(), behalf.actor())`,
    )
    const single = shop.connect({ max: 1 })
    const bound = single.bind(caller('usr_ada', { scopes: ['a'], agent: 'assistant' }), 'write')
    await bound.db.selectFrom('notes').select('id').execute()
    await bound.commit()
    await single.consume('jti', inAMinute())
    expect((await shop.admin.query('select asked_by from behalf.seen_token')).rows).toEqual([{ asked_by: '' }])
    await shop.admin.query('alter table behalf.seen_token drop asked_by')
  })

  it('is for one receiver: another one has ids of its own', async () => {
    await shop.db.consume('jti', inAMinute())
    await shop.admin.query(`update behalf.seen_token set receiver = 'other'`)
    expect(await shop.db.consume('jti', inAMinute())).toBe(true)
    expect(await shop.db.consume('jti', inAMinute())).toBe(false)
  })

  it('clears away what expired long ago, and nothing that a receiver might still accept', async () => {
    await shop.admin.query(
      `insert into behalf.seen_token (receiver, id, expires_at) values ($1, 'old', now() - interval '11 minutes'),
      ($1, 'young', now() - interval '9 minutes'), ('other', 'old', now() - interval '1 day')`,
      [shop.role],
    )
    await shop.db.consume('jti', inAMinute())
    expect((await shop.admin.query('select receiver, id from behalf.seen_token order by receiver, id')).rows).toEqual([
      { receiver: 'other', id: 'old' },
      { receiver: shop.role, id: 'jti' },
      { receiver: shop.role, id: 'young' },
    ])
  })

  it('throws where it cannot tell', async () => {
    await shop.admin.query('alter table behalf.seen_token rename to hidden')
    await expect(shop.db.consume('jti', inAMinute())).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await shop.admin.query('alter table behalf.hidden rename to seen_token')
    expect(await shop.db.consume('jti', inAMinute())).toBe(true)
    const away = postgres('postgres://shop:x@127.0.0.1:1/postgres')
    await expect(away.consume('jti', inAMinute())).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await away.close()
  })
})

describe('a pool', () => {
  it('is of a URL, or of more', async () => {
    const db = postgres(shop.url)
    await expect(db.ready()).resolves.toBeUndefined()
    await db.close()
  })

  it('gives forgotten transactions a minute, or as long as a statement may take', async () => {
    const setting = sql<{ given: string }>`select current_setting('idle_in_transaction_session_timeout') as given`
    for (const [statementTimeoutMs, given] of [
      [1000, '1min'],
      [120_000, '2min'],
    ] as const) {
      const bound = shop.connect({ statementTimeoutMs }).bind(ada, 'read')
      expect((await setting.execute(bound.db)).rows).toEqual([{ given }])
      await bound.end()
    }
  })

  it('goes on where an idle connection is lost', async () => {
    const crashed = vi.fn<() => void>()
    process.on('uncaughtException', crashed)
    try {
      const db = shop.connect({ max: 1 })
      const pidOf = async () => {
        const bound = db.bind(ada, 'read')
        const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(bound.db)
        await bound.end()
        return rows[0]?.pid
      }
      const lost = await pidOf()
      await shop.admin.query('select pg_terminate_backend($1, 5000)', [lost])
      await expect.poll(() => pidOf().catch(() => lost)).not.toBe(lost)
      expect(crashed).not.toHaveBeenCalled()
    } finally {
      process.off('uncaughtException', crashed)
    }
  })
})

describe('listen', () => {
  const listening = async () =>
    (
      await shop.admin.query(`select pid from pg_stat_activity where query like 'listen %' and usename = $1`, [
        shop.role,
      ])
    ).rows

  it('hears what is sent on its channel, until it is closed', async () => {
    const heard = vi.fn<(payload: string) => void>()
    const listener = await shop.db.listen('Odd "name"', heard)
    await shop.admin.query(
      `select pg_notify('other', 'no'), pg_notify('Odd "name"', 'yes'), pg_notify('Odd "name"', '')`,
    )
    await expect.poll(() => heard.mock.calls).toEqual([['yes'], ['']])
    await listener.close()
    expect(await listening()).toEqual([])
  })

  it('hears what an app sends, in the order in which it does', async () => {
    const heard = vi.fn<(payload: string) => void>()
    const listener = await shop.db.listen('news', heard)
    await shop.db.notify('news', ['one', 'two'])
    await shop.db.notify('other', ['no'])
    await shop.db.notify('news', ['three'])
    await expect.poll(() => heard.mock.calls).toEqual([['one'], ['two'], ['three']])
    await listener.close()
    const away = postgres('postgres://shop:x@127.0.0.1:1/postgres')
    await expect(away.notify('news', ['one'])).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await away.close()
  })

  it('comes back when its connection is lost', async () => {
    const heard = vi.fn<(payload: string) => void>()
    const listener = await shop.db.listen('news', heard)
    const [first] = await listening()
    await shop.admin.query('select pg_terminate_backend($1)', [first.pid])
    await expect
      .poll(async () => (await listening()).filter(({ pid }) => pid !== first.pid), { timeout: 5_000 })
      .toHaveLength(1)
    await shop.admin.query(`notify news, 'again'`)
    await expect.poll(() => heard.mock.calls).toEqual([['again']])
    await listener.close()
    await expect.poll(listening).toEqual([])
  })

  it('says so when it cannot begin', async () => {
    const away = postgres('postgres://shop:x@127.0.0.1:1/postgres')
    await expect(away.listen('news', () => undefined)).rejects.toThrow('ECONNREFUSED')
    await away.close()
  })
})
