import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { grant, inAMinute, openTrust, ticket, type Trust } from './fixtures.ts'
import { createAuthority, type Authority } from './index.ts'

let trust: Trust
let admin: pg.Client
let authority: Authority

beforeAll(async () => {
  trust = await openTrust()
  ;({ admin, authority } = trust)
})
beforeEach(() => trust.clear())
afterAll(() => trust.close())

const elsewhere: Trust['elsewhere'] = (ask) => trust.elsewhere(ask)
const redeemed: Trust['redeemed'] = (change) => trust.redeemed(change)

describe('subjects', () => {
  beforeEach(() =>
    admin.query(`insert into subject values
    ('https://one.test', 'ada', 'usr_ada', 'acme', '{"tier":"premium"}'), ('https://two.test', 'ada', 'usr_zoe', 'globex', '{}')`),
  )

  it('are two where two issuers use the same name', async () => {
    expect(await authority.resolveSubject({ issuer: 'https://one.test', subject: 'ada' })).toEqual({
      subject: 'usr_ada',
      tenant: 'acme',
      facts: { tier: 'premium' },
    })
    expect(await authority.resolveSubject({ issuer: 'https://two.test', subject: 'ada' })).toEqual({
      subject: 'usr_zoe',
      tenant: 'globex',
      facts: {},
    })
  })

  it.each([
    ['https://one.test', 'ben'],
    ['https://one.test/', 'ada'],
    ['https://three.test', 'ada'],
    ['https://one.test', 'Ada'],
  ])('are unknown unless both parts are exactly right: %s %s', async (issuer, subject) => {
    expect(await authority.resolveSubject({ issuer, subject })).toBeNull()
  })
})

describe('a ticket', () => {
  it('becomes a delegation of 15 minutes with what was granted', async () => {
    const { handle, delegation } = await redeemed()
    expect(delegation).toEqual({
      ...grant,
      id: delegation.id,
      createdAt: delegation.createdAt,
      expiresAt: delegation.expiresAt,
    })
    expect(delegation.id).toMatch(/^dlg_[\w-]{22}$/)
    expect(delegation.expiresAt.getTime() - delegation.createdAt.getTime()).toBe(15 * 60_000)
    expect(Buffer.from(handle, 'base64url')).toHaveLength(32)
    expect(Object.isFrozen(delegation.scopes)).toBe(true)
  })

  it('is redeemed once, of 50 attempts at the same time on two replicas', async () => {
    const shown = ticket()
    const all = await elsewhere((other) =>
      Promise.all(Array.from({ length: 50 }, (_, i) => (i % 2 === 0 ? authority : other).redeemTicket(shown))),
    )
    expect(all.filter((made) => made !== null)).toHaveLength(1)
    expect((await admin.query('select from delegation')).rowCount).toBe(1)
  })

  it('is refused once it has expired, whatever is still known of it', async () => {
    expect(await authority.redeemTicket(ticket({ expiresAt: new Date(Date.now() - 1) }))).toBeNull()
    expect(await authority.redeemTicket(ticket())).not.toBeNull()
  })

  it('[P14] is recorded together with its delegation, or neither', async () => {
    const events = async () => (await admin.query('select * from behalf.audit_event')).rows
    const { delegation } = await redeemed()
    const made = { what: 'delegation.made', txn: grant.parent, target: delegation.id, source: 'gateway', outcome: 'OK' }
    expect(await events()).toMatchObject([{ ...made, subject: 'usr_ada', detail: { scopes: grant.scopes } }])
    await admin.query('alter table behalf.audit_event rename to hidden')
    const shown = ticket()
    await expect(authority.redeemTicket(shown)).rejects.toMatchObject({ code: '42P01' })
    expect((await admin.query('select from delegation')).rowCount).toBe(1)
    await admin.query('alter table behalf.hidden rename to audit_event')
    expect(await authority.redeemTicket(shown)).not.toBeNull()
    expect(await events()).toHaveLength(2)
  })

  it('stays unused if the delegation cannot be made', async () => {
    const shown = ticket()
    await expect(authority.redeemTicket({ ...shown, grant: { ...grant, agent: '' } })).rejects.toMatchObject({
      // Refused by a check of the table: a fault of ours, which no repetition mends.
      code: '23514',
    })
    expect(await authority.redeemTicket(shown)).not.toBeNull()
  })
})

describe('a delegation', () => {
  it('is used by its handle, on any replica', async () => {
    const { handle, delegation } = await redeemed()
    expect(await elsewhere((other) => other.useDelegation(handle, ['assistant']))).toEqual({
      ...delegation,
      isRenewable: false,
    })
  })

  it('keeps what is null', async () => {
    const { handle, delegation } = await redeemed({ session: null, authTime: null, acr: null, scopes: [], facts: {} })
    expect(await authority.useDelegation(handle, ['other', 'assistant'])).toEqual({ ...delegation, isRenewable: false })
  })

  it('is nothing to another agent, by another handle, or by its id', async () => {
    const { handle, delegation } = await redeemed()
    expect(await authority.useDelegation(handle, ['other'])).toBeNull()
    expect(await authority.useDelegation(handle, [])).toBeNull()
    expect(await authority.useDelegation(`${handle.slice(0, -1)}~`, ['assistant'])).toBeNull()
    expect(await authority.useDelegation(delegation.id, ['assistant'])).toBeNull()
    expect(await authority.useDelegation(handle, ['assistant'])).not.toBeNull()
  })

  it('ends by its time', async () => {
    const { handle } = await redeemed()
    await admin.query(`update delegation set created_at = now() - interval '16 minutes', expires_at = now()`)
    expect(await authority.useDelegation(handle, ['assistant'])).toBeNull()
    await admin.query(`update delegation set expires_at = now() + interval '1 minute'`)
    expect(await authority.useDelegation(handle, ['assistant'])).not.toBeNull()
  })

  it('notes its use at most once a minute', async () => {
    const { handle } = await redeemed()
    const noted = async () =>
      String((await admin.query('select xmin, last_used_at from delegation')).rows.map((row) => Object.values(row)))
    const before = await noted()
    await authority.useDelegation(handle, ['assistant'])
    const first = await noted()
    expect(first).not.toBe(before)
    await authority.useDelegation(handle, ['assistant'])
    expect(await noted()).toBe(first)
    await admin.query(`update delegation set last_used_at = now() - interval '61 seconds'`)
    const old = await noted()
    await authority.useDelegation(handle, ['assistant'])
    expect(await noted()).not.toBe(old)
  })

  it('is stored without its handle', async () => {
    const { handle } = await redeemed()
    const { rows } = await admin.query('select to_jsonb(d)::text as row, handle_hash from delegation d')
    expect(rows[0].row).not.toContain(handle)
    expect(rows[0].handle_hash).toHaveLength(32)
    expect(rows[0].handle_hash).not.toEqual(Buffer.from(handle, 'base64url'))
  })
})

describe('a workload token', () => {
  it('is consumed once, of 50 at the same time on two replicas', async () => {
    const expiresAt = inAMinute()
    const all = await elsewhere((other) =>
      Promise.all(Array.from({ length: 50 }, (_, i) => (i % 2 === 0 ? authority : other).consume('jti-1', expiresAt))),
    )
    expect(all.filter(Boolean)).toHaveLength(1)
    expect(await authority.consume('jti-2', expiresAt)).toBe(true)
  })

  it('clears away what expired long ago, and nothing that could still be accepted', async () => {
    await admin.query(`insert into used_workload_token values
      ('old', now() - interval '11 minutes'), ('young', now() - interval '9 minutes')`)
    await authority.consume('jti', inAMinute())
    expect((await admin.query('select id from used_workload_token order by id')).rows).toEqual([
      { id: 'jti' },
      { id: 'young' },
    ])
  })

  it('together with a delegation is consumed once, and the delegation is used by nobody else', async () => {
    const { handle, delegation } = await redeemed()
    const ofOne = (id: string, by = handle, agents = ['assistant']) =>
      authority.consumeAndUse({ id, expiresAt: inAMinute() }, by, agents)
    const all = await elsewhere((other) =>
      Promise.all(
        Array.from({ length: 50 }, (_, i) =>
          (i % 2 === 0 ? authority : other).consumeAndUse({ id: 'jti-1', expiresAt: inAMinute() }, handle, [
            'assistant',
          ]),
        ),
      ),
    )
    expect(all.filter((found) => found !== null)).toEqual([{ delegation: { ...delegation, isRenewable: false } }])
    expect(await authority.consume('jti-1', inAMinute())).toBe(false)
    expect(await ofOne('jti-2', 'unknown')).toEqual({ delegation: null })
    expect(await ofOne('jti-3', handle, ['other'])).toEqual({ delegation: null })
    expect(await ofOne('jti-3')).toBeNull()
    await admin.query('update delegation set last_used_at = null')
    expect(await ofOne('jti-1')).toBeNull()
    const lastUse = async () => (await admin.query('select last_used_at from delegation')).rows[0].last_used_at
    expect(await lastUse()).toBeNull()
    expect(await ofOne('jti-4')).not.toBeNull()
    expect(await lastUse()).not.toBeNull()
    await authority.revoke({ kind: 'delegation', delegation: delegation.id }, 'USER')
    expect(await ofOne('jti-5')).toEqual({ delegation: null })
  })

  it('that expired long ago is not consumed, so that clearing away opens nothing', async () => {
    expect(await authority.consume('jti', new Date(Date.now() - 10 * 60_000))).toBe(false)
    expect(await authority.consume('jti', inAMinute())).toBe(true)
  })
})

describe('the role of the gateway', () => {
  const allowed = [
    `insert into behalf.audit_event (at, what, outcome) values (now(), 'request', 'OK')`,
    'select * from subject',
    'update delegation set revoked_at = null',
    'delete from used_ticket',
  ]
  const refused = [
    `insert into subject values ('i', 's', 'usr_ada', 'acme')`,
    `update subject set tenant = 'globex'`,
    'delete from subject',
    'delete from delegation',
    `update delegation set subject = 'usr_ben'`,
    `update delegation set tenant = 'other'`,
    `update delegation set agent = 'other'`,
    'truncate delegation',
    'create table mine ()',
    'create schema mine',
    'create temporary table mine ()',
    'select * from behalf.ownership',
    'select * from behalf.audit_event',
    `update behalf.audit_event set outcome = 'OK'`,
    'delete from behalf.audit_event',
    'set role postgres',
  ]
  const asGateway = async (statement: string) => {
    const client = new pg.Client({ connectionString: trust.url })
    await client.connect()
    try {
      await client.query(statement)
    } finally {
      await client.end()
    }
  }
  it.each(allowed)('may: %s', async (statement) => expect(asGateway(statement)).resolves.toBeUndefined())
  it.each(refused)('may not: %s', async (statement) =>
    expect(asGateway(statement)).rejects.toMatchObject({ code: '42501' }),
  )

  it('is the only one that sees these tables', async () => {
    const empty = await mkdtemp(join(tmpdir(), 'behalf-migrations-'))
    const other = new pg.Client({ connectionString: await trust.database.provision('orchestrator', empty) })
    await rm(empty, { recursive: true })
    await other.connect()
    for (const table of [
      'delegation',
      'revocation',
      'subject',
      'used_ticket',
      'used_workload_token',
      'revocation_turn',
    ])
      await expect(other.query(`select * from authority.${table}`)).rejects.toMatchObject({ code: '42501' })
    await other.end()
  })
})

it('says that it cannot tell when the database is gone', async () => {
  const lost = createAuthority('postgres://gateway:x@127.0.0.1:1/postgres')
  for (const ask of [
    () => lost.start(),
    () => lost.revoke({ kind: 'delegation', delegation: 'dlg_1' }, 'OPERATOR'),
    () => lost.consume('a', inAMinute()),
    () => lost.redeemTicket(ticket()),
    () => lost.useDelegation('h', ['assistant']),
    () => lost.resolveSubject({ issuer: 'i', subject: 's' }),
  ])
    await expect(ask()).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  await lost.close()
  await expect(authority.consume('a', inAMinute())).resolves.toBe(true)
})
