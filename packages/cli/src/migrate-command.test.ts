import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { authoritySchema } from '@behalf/authority'
import { testDatabase, type TestDatabase } from '@behalf/postgres/embedded'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { readConfig } from './config.ts'
import { run } from './run.ts'

let database: TestDatabase
/** With the password that all tests have of this role: roles belong to the server, on which others may run. */
let gateway: string
let cwd: string
let out: string[] = []
let error: string[] = []

beforeAll(async () => {
  database = await testDatabase()
  gateway = await database.provision(authoritySchema.name, authoritySchema.migrations, authoritySchema.schema)
  cwd = mkdtempSync(join(tmpdir(), 'cli-migrate-'))
  for (const [index, name] of ['jotter', 'stateless'].entries()) {
    mkdirSync(join(cwd, 'apps', name), { recursive: true })
    writeFileSync(join(cwd, 'apps', name, 'schema.graphql'), '')
    const manifest = { name, schema: 'schema.graphql', port: 4105 + index }
    writeFileSync(join(cwd, 'apps', name, 'behalf.json'), JSON.stringify(manifest))
  }
  mkdirSync(join(cwd, 'apps/jotter/migrations'))
  writeFileSync(
    join(cwd, 'apps/jotter/migrations/001.sql'),
    `create table jottings (user_id text not null default behalf.sub(), text text not null);
     select behalf.own('jottings', 'user_id');`,
  )
})
beforeEach(() => {
  out = []
  error = []
})
afterAll(async () => {
  await database.close()
  rmSync(cwd, { recursive: true, force: true })
})

const urlOf = (name: string, password: string) => {
  const url = new URL(database.url)
  url.username = name
  url.password = password
  return url.href
}
const migrate = (env: Record<string, string>) =>
  run(['migrate'], readConfig(env), { cwd, out: (line) => out.push(line), error: (line) => error.push(line) })
const connected = async (url: string, statement: string) => {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query(statement)).rows as unknown[]
  } finally {
    await client.end()
  }
}

describe('behalf migrate', () => {
  it('lets each process in with its own password, as often as it is run, and no further than its rows', async () => {
    for (const password of ['first/pass', 'second/pass']) {
      const jotter = urlOf('jotter', password)
      const env = { DATABASE_URL: database.url, GATEWAY_DATABASE_URL: gateway, JOTTER_DATABASE_URL: jotter }
      expect({ code: await migrate(env), error }).toEqual({ code: 0, error: [] })
      expect(out.splice(0)).toEqual(['gateway is up to date', 'jotter is up to date'])
      expect(await connected(jotter, 'select * from jottings')).toEqual([])
    }
    await expect(connected(urlOf('jotter', 'first/pass'), 'select 1')).rejects.toThrow('password')
    await connected(database.url, `insert into jotter.jottings values ('usr_ada', 'a')`)
    expect(await connected(urlOf('jotter', 'second/pass'), 'select * from jottings')).toEqual([])
    expect(await connected(database.url, 'select count(*)::int as subjects from authority.subject')).toEqual([
      { subjects: 0 },
    ])
  })

  it('names everything that is missing or not as it has to be at once, without values, and does nothing', async () => {
    const wrong = { GATEWAY_DATABASE_URL: urlOf('postgres', 'secret'), JOTTER_DATABASE_URL: 'jotter:secret' }
    expect(await migrate(wrong)).toBe(2)
    expect(error).toEqual([
      expect.stringMatching(/^DATABASE_URL must be set/),
      expect.stringMatching(/^GATEWAY_DATABASE_URL must be set/),
      expect.stringMatching(/^JOTTER_DATABASE_URL must be set/),
    ])
    expect(error.join()).not.toContain('secret')
    expect(out).toEqual([])
  })

  it('says why the database does not do it, and for whom', async () => {
    const env = { DATABASE_URL: gateway, GATEWAY_DATABASE_URL: gateway, JOTTER_DATABASE_URL: urlOf('jotter', 'third') }
    expect(await migrate(env)).toBe(1)
    expect(error).toEqual([
      expect.stringMatching(/^The database cannot be made ready for gateway: .*permission denied/),
    ])
  })
})
