import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { checkCatalogue } from '@behalf/postgres'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { openTrust, type Trust } from './fixtures.ts'

/** An app that shows people their delegations, of a name that no other test's role has. */
const app = `app_${randomBytes(6).toString('hex')}`
let trust: Trust
let url: string
const ids = { ada: '', other: '', ben: '' }

beforeAll(async () => {
  trust = await openTrust()
  const folder = await mkdtemp(join(tmpdir(), 'behalf-migrations-'))
  await writeFile(join(folder, '001.sql'), `select authority.show_to('${app}'), authority.show_approvals_to('${app}')`)
  url = await trust.database.provision(app, folder)
  await rm(folder, { recursive: true })
})
beforeEach(async () => {
  await trust.clear()
  const made = await Promise.all([
    trust.redeemed(),
    trust.redeemed(),
    trust.redeemed({ subject: 'usr_ben', session: 'sid-ben' }),
  ])
  for (const [index, name] of (['ada', 'other', 'ben'] as const).entries()) ids[name] = made[index]?.delegation.id ?? ''
})
afterAll(async () => {
  await trust.admin.query(`drop owned by ${app}; drop role ${app}`)
  await trust.close()
})

/** Runs one statement as the app does for a caller, to the end of the transaction. */
async function as(caller: { sub?: string; actor?: string }, statement: string) {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query('begin')
    await client.query(`select set_config('behalf.sub', $1, true), set_config('behalf.actor', $2, true)`, [
      caller.sub ?? '',
      caller.actor ?? '',
    ])
    const result = await client.query(statement)
    await client.query('commit')
    return result
  } finally {
    await client.end()
  }
}
const ada = { sub: 'usr_ada' }
const list =
  'select id, agent, client, scopes, created_at, expires_at, last_used_at, revoked_at from authority.delegation'
const end = (id: string) => `update authority.delegation set revoked_at = now() where id = '${id}'`
const revocations = async () =>
  (await trust.admin.query('select delegation, reason from revocation order by sequence')).rows
const refused = { code: '42501' }

describe('[P7] [P11] an app that shows delegations', () => {
  it('shows a person their own, and nobody else anything', async () => {
    expect(new Set((await as(ada, list)).rows.map(({ id }) => id))).toEqual(new Set([ids.ada, ids.other]))
    expect((await as({ sub: 'usr_ben' }, list)).rows.map(({ id }) => id)).toEqual([ids.ben])
    for (const caller of [{}, { sub: 'usr_chloe' }, { ...ada, actor: 'assistant' }])
      expect((await as(caller, list)).rows).toEqual([])
  })

  it('lets a person end their own, which is revoked with that', async () => {
    expect((await as(ada, end(ids.ada))).rowCount).toBe(1)
    expect(await revocations()).toEqual([{ delegation: ids.ada, reason: 'USER' }])
    const { rows } = await as(ada, list)
    expect(rows.find(({ id }) => id === ids.ada)?.revoked_at).toBeInstanceOf(Date)
    expect(rows.find(({ id }) => id === ids.other)?.revoked_at).toBeNull()
  })

  it("ends nobody else's, and none for an agent or nobody", async () => {
    for (const [caller, id] of [
      [ada, ids.ben],
      [{ ...ada, actor: 'assistant' }, ids.ada],
      [{}, ids.ada],
    ] as const)
      expect((await as(caller, end(id))).rowCount).toBe(0)
    expect(await revocations()).toEqual([])
  })

  it('ends for good: what is over does not begin again', async () => {
    await as(ada, end(ids.ada))
    const back = `update authority.delegation set revoked_at = null where id = '${ids.ada}'`
    expect((await as(ada, back)).rowCount).toBe(0)
    await expect(as(ada, back.replace(ids.ada, ids.other))).rejects.toMatchObject(refused)
  })

  it.each([
    'select handle_hash from authority.delegation',
    'select session from authority.delegation',
    `update authority.delegation set scopes = '{admin}'`,
    `update authority.delegation set expires_at = now() + interval '1 year'`,
    'delete from authority.delegation',
    'select * from authority.revocation',
    'delete from authority.revocation',
    `insert into authority.revocation (subject, reason) values ('usr_ada', 'USER')`,
    `insert into authority.revocation (delegation, reason, sequence) values ('dlg_1', 'USER', 1)`,
    'select * from authority.subject',
    'delete from authority.revocation_turn',
    `select setval('authority.revocation_sequence', 1000000)`,
    `select authority.is_revoked('i', 's', 's', 0)`,
    `select authority.show_to('${app}')`,
  ])('may not: %s', async (statement) => {
    await expect(as(ada, statement)).rejects.toMatchObject(refused)
  })

  it('revokes nothing but what is ended, of the caller', async () => {
    const insert = (id: string, reason = 'USER') =>
      `insert into authority.revocation (delegation, reason) values ('${id}', '${reason}')`
    await expect(as(ada, insert(ids.ada))).rejects.toMatchObject(refused)
    await as(ada, end(ids.ada))
    await expect(as({ sub: 'usr_ben' }, insert(ids.ada))).rejects.toMatchObject(refused)
    await expect(as(ada, insert(ids.ada, 'OPERATOR'))).rejects.toMatchObject(refused)
    await expect(as({ ...ada, actor: 'assistant' }, insert(ids.ada))).rejects.toMatchObject(refused)
    await expect(as(ada, insert(ids.ada))).resolves.toBeDefined()
  })

  it('may call none of the functions but those by which users decide', async () => {
    const { rows } = await trust.admin.query(
      `select proname from pg_proc where pronamespace = 'authority'::regnamespace
       and has_function_privilege($1, oid, 'execute') order by proname`,
      [app],
    )
    expect(rows).toEqual([{ proname: 'approval_state' }, { proname: 'resolve_approval' }])
  })

  it('has no way around it in the catalogue', async () => {
    const catalogue = { schema: app, role: app, shared: ['authority'] }
    expect(await checkCatalogue(trust.database.url, catalogue)).toEqual([])
    expect(await checkCatalogue(trust.database.url, { ...catalogue, shared: [] })).toEqual([
      expect.stringContaining('may use schema authority'),
    ])
  })
})
