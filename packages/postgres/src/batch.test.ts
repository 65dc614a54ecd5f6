import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openShop, type OpenShop } from '../fixtures/shop.ts'
import { runBatch } from './batch.ts'
import { isConnectionLost } from './database-error.ts'

let shop: OpenShop
let pool: pg.Pool
let client: pg.PoolClient
beforeAll(async () => {
  shop = await openShop()
  pool = new pg.Pool({ connectionString: shop.adminUrl, max: 1 })
  client = await pool.connect()
  await client.query('create temporary table thing (id int primary key)')
})
afterAll(async () => {
  client.release()
  await pool.end()
  await shop[Symbol.asyncDispose]()
})

const ids = async () =>
  (await client.query<{ id: number }>('select id from thing order by id')).rows.map(({ id }) => id)
const insert = (id: number) => ({ name: 'insert', text: 'insert into thing values ($1)', values: [id] })
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'done',
    (error: { code?: string }) => error.code,
  )

describe('a batch', () => {
  it('has a result for each of its statements, whether or not they return rows', async () => {
    const results = await runBatch(client, [
      { text: 'begin' },
      { text: 'select $1::int as a', values: [1] },
      insert(1),
      { text: 'select 2 as b, 3 as c where false' },
      { text: 'commit' },
    ])
    expect(results.map(({ command, rows }) => [command, rows])).toEqual([
      ['BEGIN', []],
      ['SELECT', [{ a: 1 }]],
      ['INSERT', []],
      ['SELECT', []],
      ['COMMIT', []],
    ])
    expect(await ids()).toEqual([1])
  })

  it('of which one fails runs none after it, and undoes those before', async () => {
    expect(await codeOf(runBatch(client, [insert(2), insert(1), insert(3)]))).toBe('23505')
    expect(await ids()).toEqual([1])
    await runBatch(client, [insert(2)])
    expect(await ids()).toEqual([1, 2])
  })

  it('prepares a name once more where it cannot be told whether that is there', async () => {
    const second = { name: 'second', text: 'select 2 as two' }
    expect(await codeOf(runBatch(client, [{ text: 'select 1/0' }, second]))).toBe('22012')
    for (let count = 0; count < 2; count++)
      expect((await runBatch(client, [second])).map(({ rows }) => rows)).toEqual([[{ two: 2 }]])
    const third = { name: 'third', text: 'select 3 as three' }
    expect(await codeOf(runBatch(client, [third, { text: 'select 1/0' }]))).toBe('22012')
    for (let count = 0; count < 2; count++)
      expect((await runBatch(client, [third])).map(({ rows }) => rows)).toEqual([[{ three: 3 }]])
  })

  it('with a value that cannot be sent runs nothing from there on', async () => {
    const cyclic: Record<string, unknown> = {}
    cyclic['itself'] = cyclic
    const bad = { text: 'select $1::json', values: [cyclic] }
    await expect(runBatch(client, [{ text: 'begin' }, bad, insert(9), { text: 'commit' }])).rejects.toThrow('circular')
    await client.query('rollback')
    expect(await ids()).not.toContain(9)
    expect(await runBatch(client, [{ text: 'select 1 as one' }])).toMatchObject([{ rows: [{ one: 1 }] }])
  })

  it('of a statement whose table was changed since is one of a connection that is not used again', async () => {
    const all = { name: 'all', text: 'select * from thing' }
    await runBatch(client, [all])
    await client.query('alter table thing add more text')
    const stale = await runBatch(client, [all]).catch((error: unknown) => error)
    expect(stale).toMatchObject({ code: '0A000' })
    expect(isConnectionLost(stale)).toBe(true)
  })
})
