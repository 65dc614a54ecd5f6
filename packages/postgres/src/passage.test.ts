import { randomBytes } from 'node:crypto'
import { chmod, mkdir, mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isPassable, passableCopy, passableDataDir } from './passage.ts'
import { startEmbeddedPostgres } from './start-embedded-postgres.ts'

const isRoot = userInfo().uid === 0
let open: string
let closed: string
beforeAll(async () => {
  open = await mkdtemp(join(tmpdir(), 'behalf-passage-'))
  await chmod(open, 0o755)
  closed = join(open, 'closed')
  await mkdir(join(closed, 'inside'), { recursive: true })
  await chmod(closed, 0o700)
})
afterAll(() => rm(open, { recursive: true, force: true }))

describe('a folder of its own', () => {
  it('is where it was asked for, if everyone may pass', async () => {
    expect(await isPassable(open)).toBe(true)
    expect(await passableDataDir(join(open, 'postgres'))).toBe(join(open, 'postgres'))
  })

  it.runIf(!isRoot)('is where it was asked for, for whoever is not root', async () => {
    expect(await passableDataDir(join(closed, 'inside', 'postgres'))).toBe(join(closed, 'inside', 'postgres'))
  })

  it.runIf(isRoot)("is elsewhere, always the same, if it was asked for in one of root's", async () => {
    expect(await isPassable(join(closed, 'inside'))).toBe(false)
    const dataDir = await passableDataDir(join(closed, 'inside', 'postgres'))
    expect(dataDir).toMatch(/^\/var\/lib\/behalf\/data-/)
    expect(await passableDataDir(join(closed, 'inside', 'postgres'))).toBe(dataDir)
    expect(await passableDataDir(join(closed, 'other', 'postgres'))).not.toBe(dataDir)
  })

  it.runIf(isRoot)('has a database that starts', async () => {
    const dataDir = join(closed, 'inside', randomBytes(6).toString('hex'))
    try {
      await using server = await startEmbeddedPostgres({ dataDir, persistent: true })
      const client = new pg.Client({ connectionString: server.url })
      await client.connect()
      expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }])
      await client.end()
    } finally {
      await rm(await passableDataDir(dataDir), { recursive: true, force: true })
    }
  })
})

it.runIf(isRoot)("copies root's programs so that others can run them, once", async () => {
  const version = randomBytes(6).toString('hex')
  const [copy, again] = await Promise.all([passableCopy(closed, version), passableCopy(closed, version)])
  try {
    expect(again).toBe(copy)
    expect((await stat(copy)).mode & 0o005).toBe(0o005)
    expect((await stat(join(copy, 'inside'))).isDirectory()).toBe(true)
  } finally {
    await rm(copy, { recursive: true, force: true })
  }
})
