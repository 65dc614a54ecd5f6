import { sql } from 'kysely'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { ada, ben, openShop, type OpenShop } from '../fixtures/shop.ts'

let shop: OpenShop
beforeAll(async () => void (shop = await openShop()))
beforeEach(() => shop.admin.query(`truncate behalf.performed; update notes set body = ''`))
afterAll(() => shop[Symbol.asyncDispose]())

const effect = { id: 'call-1', request: 'hash-1' }
const write = (who = ada) => shop.db.bind(who, 'write')
type Bound = ReturnType<typeof write>
/** Adds a stroke to the caller's note, so that one can count. */
const stroke = async ({ db }: Bound) =>
  db
    .updateTable('notes')
    .set((eb) => ({ body: eb('body', '||', '|') }))
    .returning(['id', 'body'])
    .executeTakeFirstOrThrow()
const strokes = async () => (await shop.admin.query(`select body from notes where id = 'n-ada'`)).rows[0].body
/** Waits until some transaction of the shop's role waits for another. */
const waiting = () =>
  vi.waitUntil(
    async () =>
      (
        await shop.admin.query(`select from pg_stat_activity where usename = $1 and wait_event_type = 'Lock'`, [
          shop.role,
        ])
      ).rowCount === 1,
    { timeout: 10_000 },
  )

describe('perform', () => {
  it('does it once, and answers a repeat with what was recorded, in the same order', async () => {
    const first = write()
    const outcome = await first.perform(effect, async () => ({ z: 1, ...(await stroke(first)) }))
    await first.commit()
    const again = write()
    const repeated = await again.perform<typeof outcome>(effect, async () => {
      throw new Error('performed twice')
    })
    await again.commit()
    expect(JSON.stringify(repeated)).toBe(JSON.stringify(outcome))
    expect(await strokes()).toBe('|')
  })

  it('does another effect besides', async () => {
    for (const id of ['call-1', 'call-2']) {
      const bound = write()
      await bound.perform({ ...effect, id }, () => stroke(bound))
      await bound.commit()
    }
    expect(await strokes()).toBe('||')
  })

  it('records nothing as null', async () => {
    const first = write()
    await first.perform(effect, async () => undefined)
    await first.commit()
    const again = write()
    expect(await again.perform(effect, async () => 'again')).toBeNull()
    await again.rollback()
  })

  it.each([
    ['for another request', ada, { ...effect, request: 'hash-2' }],
    ['by another subject', ben, effect],
  ])('refuses the same id %s, and does nothing', async (_what, who, other) => {
    const first = write()
    await first.perform(effect, () => stroke(first))
    await first.commit()
    const bound = write(who)
    await expect(bound.perform(other, () => stroke(bound))).rejects.toMatchObject({ code: 'CONTEXT_WRONG_REQUEST' })
    await bound.commit()
    expect((await shop.admin.query('select body from notes order by id')).rows).toEqual([{ body: '|' }, { body: '' }])
    const same = write()
    await expect(same.perform(effect, () => stroke(same))).resolves.toMatchObject({ id: 'n-ada' })
    await same.rollback()
  })

  it('undoes all where the work fails, so that a repeat may do it', async () => {
    const bound = write()
    await expect(
      bound.perform(effect, async () => {
        await stroke(bound)
        throw new Error('no')
      }),
    ).rejects.toThrow('no')
    await bound.commit()
    expect(await strokes()).toBe('')
    const again = write()
    await again.perform(effect, () => stroke(again))
    await again.commit()
    expect(await strokes()).toBe('|')
  })

  it('undoes all where the request is rolled back after it', async () => {
    const bound = write()
    await bound.perform(effect, () => stroke(bound))
    await bound.rollback()
    const again = write()
    await again.perform(effect, () => stroke(again))
    await again.commit()
    expect(await strokes()).toBe('|')
  })

  it('lets one that comes meanwhile wait, and gives it the outcome of the first', async () => {
    const [first, second] = [write(), write()]
    const outcome = await first.perform(effect, () => stroke(first))
    const repeated = second.perform(effect, () => stroke(second))
    await waiting()
    await first.commit()
    expect(await repeated).toEqual(outcome)
    await second.commit()
    expect(await strokes()).toBe('|')
  })

  it('lets the one that waited do it where the first failed', async () => {
    const [first, second] = [write(), write()]
    await first.perform(effect, () => stroke(first))
    const repeated = second.perform(effect, () => stroke(second))
    await waiting()
    await first.rollback()
    expect(await repeated).toEqual({ id: 'n-ada', body: '|' })
    await second.commit()
    expect(await strokes()).toBe('|')
  })

  it('does it once, of 20 at the same time in two processes', async () => {
    const other = shop.connect()
    const all = await Promise.all(
      Array.from({ length: 20 }, async (_, i) => {
        const bound = (i % 2 === 0 ? shop.db : other).bind(ada, 'write')
        const outcome = await bound.perform(effect, () => stroke(bound))
        await bound.commit()
        return outcome
      }),
    )
    expect(new Set(all.map((outcome) => JSON.stringify(outcome))).size).toBe(1)
    expect(await strokes()).toBe('|')
  })

  it('does not do again what was committed in part and never ended', async () => {
    const bound = write()
    await expect(
      bound.perform(effect, async () => {
        await stroke(bound)
        await bound.commit()
        throw new Error('the process died here')
      }),
    ).rejects.toThrow('died')
    const again = write()
    await expect(again.perform(effect, () => stroke(again))).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' })
    await again.rollback()
    expect(await strokes()).toBe('|')
  })

  it('records the outcome of what was committed in part and did end', async () => {
    const bound = write()
    await bound.perform(effect, async () => {
      const outcome = await stroke(bound)
      await bound.commit()
      return outcome
    })
    await bound.commit()
    const again = write()
    expect(await again.perform(effect, () => stroke(again))).toEqual({ id: 'n-ada', body: '|' })
    await again.rollback()
  })

  it('shows a role and a subject their own records only, and lets neither rewrite them', async () => {
    const bound = write()
    await bound.perform(effect, async () => 1)
    await bound.commit()
    const seen = async (who = ada) => {
      const reader = shop.db.bind(who, 'write')
      const { rows } = await sql`select id from behalf.performed`.execute(reader.db)
      await reader.rollback()
      return rows.length
    }
    expect([await seen(ada), await seen(ben)]).toEqual([1, 0])
    await shop.admin.query(`update behalf.performed set receiver = 'other'`)
    expect(await seen(ada)).toBe(0)
    for (const statement of [
      'delete from behalf.performed',
      `update behalf.performed set request = 'x'`,
      `insert into behalf.performed (receiver, id, subject, request) values ('other', 'x', 'usr_ada', 'x')`,
    ]) {
      const writer = write()
      await expect(sql.raw(statement).execute(writer.db)).rejects.toMatchObject({ code: '42501' })
      await writer.rollback()
    }
  })
})
