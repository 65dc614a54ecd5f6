import { authorityMigrations } from '@behalf/authority'
import { testDatabase, type TestDatabase } from '@behalf/postgres/embedded'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { readConfig } from './config.ts'
import { run } from './run.ts'

const issuer = 'https://issuer.test'
let database: TestDatabase
let admin: pg.Client
let url: string
let out: string[] = []
let error: string[] = []

beforeAll(async () => {
  database = await testDatabase()
  url = await database.provision('gateway', authorityMigrations, 'authority')
  admin = new pg.Client({ connectionString: database.url })
  await admin.connect()
  await admin.query(`insert into authority.subject values ('${issuer}', 'ada', 'usr_ada', 'acme')`)
  await admin.query(`insert into authority.delegation (id, handle_hash, issuer, subject, tenant, agent, scopes, facts, client,
    session, issued_at, parent, expires_at) values ('dlg_0123456789012345678901', sha256('x'), '${issuer}', 'usr_ada', 'acme',
    'assistant', '{}', '{}', 'cli', 'sid-1', 1790000000, '01980f6e-1111-7abc-8def-0123456789ab', now() + interval '15 minutes')`)
})
beforeEach(async () => {
  out = []
  error = []
  await admin.query('truncate authority.revocation; update authority.delegation set revoked_at = null')
})
afterAll(async () => {
  await admin.end()
  await database.close()
})

const revoke = (args: string[], as = url) =>
  run(['revoke', ...args], readConfig({ DATABASE_URL: as }), {
    cwd: '.',
    out: (line) => out.push(line),
    error: (line) => error.push(line),
  })
const stored = async () =>
  (await admin.query('select issuer, subject, session, delegation, reason from authority.revocation order by sequence'))
    .rows
const kinds = { issuer: null, subject: null, session: null, delegation: null, reason: 'OPERATOR' }

describe('[P11] behalf revoke ends', () => {
  it.each([
    ['a user', ['--subject', 'usr_ada'], { subject: 'usr_ada' }, /usr_ada/],
    [
      'a user with an issuer',
      ['--subject', 'usr_ada', '--issuer', issuer],
      { subject: 'usr_ada', issuer },
      /issuer\.test/,
    ],
    ['a session', ['--session', 'sid-1', '--issuer', issuer], { session: 'sid-1', issuer }, /sid-1/],
    [
      'a delegation',
      ['--delegation', 'dlg_0123456789012345678901'],
      { delegation: 'dlg_0123456789012345678901' },
      /dlg_01/,
    ],
  ])('%s, and says so', async (_what, args, row, said) => {
    expect(await revoke(args)).toBe(0)
    expect((await stored())[0]).toEqual({ ...kinds, ...row })
    const ended = await admin.query('select from authority.delegation where revoked_at is not null')
    expect(ended.rowCount).toBe(1)
    expect(out).toEqual([expect.stringMatching(/^Ended: /)])
    expect(out[0]).toMatch(said)
    expect(error).toEqual([])
  })

  it('the same as the administrator', async () => {
    expect(await revoke(['--subject', 'usr_ada'], database.url)).toBe(0)
    expect(await stored()).toHaveLength(2)
  })

  it.each([
    ['usr_adaa', ['--subject', 'usr_adaa']],
    ['usr_ada', ['--subject', 'usr_ada', '--issuer', 'https://other.test']],
    ['https://other.test', ['--session', 'sid-1', '--issuer', 'https://other.test']],
    ['dlg_unknown', ['--delegation', 'dlg_unknown']],
  ])('nothing where nothing is known of it, and fails: %s', async (name, args) => {
    expect(await revoke(args)).toBe(1)
    expect(error[0]).toContain('Nothing was ended')
    expect(error[0]).toContain(name)
    expect(out).toEqual([])
    expect(await stored()).toEqual([])
  })
})
