import { randomBytes } from 'node:crypto'
import { deriveKey } from '@behalf/identity'
import fc from 'fast-check'
import { EncryptJWT, jwtDecrypt } from 'jose'
import { describe, expect, it } from 'vitest'
import { anonymous, principalFromDelegation, toPrincipal } from '../authenticate/principal.ts'
import { createTicketSealer } from './ticket.ts'

const rootKey = randomBytes(32).toString('base64url')
let now = Date.parse('2026-11-01T12:00:00Z')
const sealerWith = (options: { rootKey?: string; epoch?: number } = {}) =>
  createTicketSealer({ rootKey, epoch: 1, clock: () => now, ...options })
const sealer = sealerWith()
const ada = toPrincipal({
  ...anonymous,
  issuer: 'http://127.0.0.1:4200',
  subject: 'usr_ada',
  tenant: 'acme',
  scopes: ['orders:read'],
  facts: { tier: 'premium', roles: ['customer'] },
  client: 'cli',
  session: 's1',
  authTime: 1763856000,
  acr: 'pwd',
  issuedAt: 1763856000,
  expiresAt: 1763859600,
})
const start = { agent: 'assistant', to: 'orchestrator', txn: '01980f6e-0000-7abc-8def-0123456789ab' }
const seal = async () => (await sealer.seal(ada, start)) ?? ''
const refused = { code: 'TICKET_REFUSED', status: 400 }

describe('a ticket', () => {
  it('is opened by the gateway for the workload it was made for', async () => {
    const ticket = await sealer.open(await seal(), 'orchestrator')
    const { issuer, subject, tenant, scopes, facts, client, session, authTime, acr, issuedAt } = ada
    expect(ticket.grant).toEqual({
      issuer,
      subject,
      tenant,
      scopes,
      facts,
      client,
      session,
      authTime,
      acr,
      issuedAt,
      agent: 'assistant',
      parent: start.txn,
    })
    expect(ticket.expiresAt).toEqual(new Date(now + 60_000))
    expect(ticket.id).not.toBe((await sealer.open(await seal(), 'orchestrator')).id)
    await expect(sealer.open(await seal(), 'orders')).rejects.toMatchObject(refused)
  })

  it('is a JWE that any library opens with the key', async () => {
    const { key } = deriveKey(rootKey, 'ticket', null, 1)
    const { payload, protectedHeader } = await jwtDecrypt(await seal(), key, { currentDate: new Date(now) })
    expect(protectedHeader).toEqual({ alg: 'dir', enc: 'A256GCM', typ: 'behalf-ticket', kid: 'ticket/1' })
    expect(payload).toMatchObject({ to: 'orchestrator', exp: now / 1000 + 60, grant: { subject: 'usr_ada' } })
  })

  it.each(['issuer', 'tenant', 'client', 'issuedAt'] as const)(
    'is made for nobody without %s, and no proof either',
    async (what) => {
      const nobody = toPrincipal({ ...ada, [what]: null })
      expect(await sealer.seal(nobody, start)).toBeNull()
      const decided = { approved: [], to: 'users', txn: start.txn }
      expect(await sealer.sealProof(nobody, decided)).toBeNull()
      expect(await sealer.sealProof(ada, decided)).toEqual(expect.any(String))
    },
  )

  it('says nothing to whoever carries it', async () => {
    const ticket = await seal()
    const text = ticket
      .split('.')
      .map((part) => Buffer.from(part, 'base64url').toString('latin1'))
      .join()
    for (const word of ['usr_ada', 'acme', 'orders:read', 'premium', 'assistant']) expect(text).not.toContain(word)
  })

  it('lives for a minute', async () => {
    const ticket = await seal()
    now += 59_000
    await expect(sealer.open(ticket, 'orchestrator')).resolves.toBeDefined()
    now += 1000
    await expect(sealer.open(ticket, 'orchestrator')).rejects.toMatchObject(refused)
  })

  it('is of this gateway, and of this epoch or the one before', async () => {
    const ticket = await seal()
    await expect(
      sealerWith({ rootKey: randomBytes(32).toString('base64url') }).open(ticket, 'orchestrator'),
    ).rejects.toMatchObject(refused)
    await expect(sealerWith({ epoch: 2 }).open(ticket, 'orchestrator')).resolves.toBeDefined()
    await expect(sealerWith({ epoch: 3 }).open(ticket, 'orchestrator')).rejects.toMatchObject({
      ...refused,
      cause: { message: 'no such key' },
    })
    await expect(sealerWith({ epoch: 0 }).open(ticket, 'orchestrator')).rejects.toMatchObject(refused)
  })

  it('cannot be altered', async () => {
    const ticket = await seal()
    await fc.assert(
      fc.asyncProperty(
        fc.nat(ticket.length - 1),
        fc.constantFrom('A', 'b', '_', '-', '.', '0'),
        async (index, character) => {
          const altered = ticket.slice(0, index) + character + ticket.slice(index + 1)
          fc.pre(decoded(altered) !== decoded(ticket))
          await expect(sealer.open(altered, 'orchestrator')).rejects.toMatchObject(refused)
        },
      ),
      { numRuns: 300 },
    )
  })

  it('is nothing else that our key could have encrypted', async () => {
    const { key } = deriveKey(rootKey, 'ticket', null, 1)
    const { grant } = await sealer.open(await seal(), 'orchestrator')
    const make = (
      change: { typ?: string; kid?: string; claims?: Record<string, unknown>; withoutEnd?: boolean } = {},
    ) => {
      const jwt = new EncryptJWT({ jti: 'j', to: 'orchestrator', grant, ...change.claims })
      if (change.withoutEnd !== true) jwt.setExpirationTime(now / 1000 + 60)
      return jwt
        .setProtectedHeader({
          alg: 'dir',
          enc: 'A256GCM',
          typ: change.typ ?? 'behalf-ticket',
          kid: change.kid ?? 'ticket/1',
        })
        .encrypt(key)
    }
    await expect(sealer.open(await make(), 'orchestrator')).resolves.toBeDefined()
    for (const change of [
      { typ: 'JWT' },
      { kid: 'ticket/7' },
      { kid: '__proto__' },
      { withoutEnd: true },
      { claims: { jti: undefined } },
      { claims: { grant: { ...grant, subject: undefined } } },
      { claims: { grant: { ...grant, scopes: 'orders:read' } } },
    ]) {
      await expect(sealer.open(await make(change), 'orchestrator')).rejects.toMatchObject(refused)
    }
    for (const text of ['', 'x', 'a.b.c', 'a.b.c.d.e'])
      await expect(sealer.open(text, 'orchestrator')).rejects.toMatchObject(refused)
  })

  it('is made for a person only', async () => {
    expect(await sealer.seal(anonymous, start)).toBeNull()
    const { grant } = await sealer.open(await seal(), 'orchestrator')
    const agent = principalFromDelegation(
      { ...grant, id: 'dlg_1', createdAt: new Date(), expiresAt: new Date() },
      'run_1',
    )
    expect(await sealer.seal(agent, start)).toBeNull()
  })
})

/** What a decoder that knows several spellings of the same bytes makes of it. */
const decoded = (token: string) =>
  token
    .split('.')
    .map((part, index) => (index === 0 ? part : Buffer.from(part, 'base64url').toString('hex')))
    .join('.')

describe('[P9] a proof', () => {
  const approved = [{ id: 'apr_1', argumentsHash: 'h'.repeat(43) }]
  const prove = async (principal = ada) =>
    (await sealer.sealProof(principal, { approved, to: 'identity', txn: start.txn })) ?? ''

  it('says what was approved by whom, to the gateway, and of its receiver', async () => {
    const proof = await sealer.openProof(await prove(), 'identity', new Date(now))
    expect(proof).toMatchObject({ approved, grant: { subject: 'usr_ada', scopes: ['orders:read'], parent: start.txn } })
    expect(proof.grant).not.toHaveProperty('agent')
    await expect(sealer.openProof(await prove(), 'orders', new Date(now))).rejects.toMatchObject(refused)
    await expect(sealer.openProof(await prove(), 'identity', new Date(now + 61_000))).rejects.toMatchObject(refused)
    expect(await prove(anonymous)).toBe('')
  })

  it('is no ticket, nor is a ticket a proof, whoever shows it', async () => {
    await expect(sealer.open(await prove(), 'identity')).rejects.toMatchObject(refused)
    await expect(sealer.openProof(await seal(), 'orchestrator', new Date(now))).rejects.toMatchObject(refused)
    await expect(sealer.open(await seal(), 'orchestrator')).resolves.toBeDefined()
  })
})

describe('the state of a round', () => {
  const round = {
    subject: 'usr_ada',
    tenant: 'acme',
    client: 'some-client',
    delegation: 'dlg_1',
    tool: 'cancel_order',
    argumentsHash: 'h',
    approval: 'apr_1',
  }
  const hour = 3_600_000

  it('is opened as long as its approval can be decided', async () => {
    const state = await sealer.sealRound(round, new Date(now + hour))
    expect(await sealer.openRound(state)).toEqual(round)
    now += hour - 1000
    expect(await sealer.openRound(state)).toEqual(round)
    now += 1000
    await expect(sealer.openRound(state)).rejects.toMatchObject(refused)
  })

  it('is none of another gateway, no ticket and no proof, whoever that was made for', async () => {
    const state = await sealer.sealRound(round, new Date(now + hour))
    const other = sealerWith({ rootKey: randomBytes(32).toString('base64url') })
    await expect(other.openRound(state)).rejects.toMatchObject(refused)
    await expect(sealer.open(state, 'gateway')).rejects.toMatchObject(refused)
    await expect(sealer.openProof(state, 'gateway', new Date(now))).rejects.toMatchObject(refused)
    const ticket = await sealer.seal(ada, { ...start, to: 'gateway' })
    await expect(sealer.openRound(ticket ?? '')).rejects.toMatchObject(refused)
    const { key } = deriveKey(rootKey, 'ticket', null, 1)
    const made = (to: string, claims: object) =>
      new EncryptJWT({ jti: 'j', to, ...claims })
        .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', typ: 'behalf-round', kid: 'ticket/1' })
        .setExpirationTime(now / 1000 + 60)
        .encrypt(key)
    expect(await sealer.openRound(await made('gateway', { round }))).toEqual(round)
    await expect(sealer.openRound(await made('orders', { round }))).rejects.toMatchObject(refused)
    const { approval: _none, ...part } = round
    await expect(sealer.openRound(await made('gateway', { round: part }))).rejects.toMatchObject(refused)
  })
})
