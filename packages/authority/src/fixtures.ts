import { randomUUID } from 'node:crypto'
import type { Delegation, DelegationGrant, Ticket } from '@behalf/identity'
import { testDatabase, type TestDatabase } from '@behalf/postgres/embedded'
import pg from 'pg'
import { authorityMigrations, createAuthority, type Authority } from './index.ts'

export const grant: DelegationGrant = {
  issuer: 'https://issuer.test',
  subject: 'usr_ada',
  tenant: 'acme',
  scopes: ['orders:read', 'chat:write'],
  facts: { tier: 'premium', groups: ['a', 'b'] },
  client: 'behalf-console',
  session: 'sid-1',
  authTime: 1_790_000_000,
  acr: 'urn:acr:2',
  issuedAt: 1_790_000_100,
  agent: 'assistant',
  parent: '01980f6e-1111-7abc-8def-0123456789ab',
}
export const inAMinute = () => new Date(Date.now() + 60_000)
export const ticket = (change: Partial<Ticket> = {}): Ticket => ({
  id: randomUUID(),
  expiresAt: inAMinute(),
  grant,
  ...change,
})

/** An authority on a database of its own. */
export interface Trust {
  readonly database: TestDatabase
  /** Of role `gateway`. */
  readonly url: string
  /** The administrator, in schema `authority`. */
  readonly admin: pg.Client
  readonly authority: Authority
  /** Another replica, asked alone. */
  elsewhere<R>(ask: (other: Authority) => Promise<R>): Promise<R>
  redeemed(change?: Partial<DelegationGrant>): Promise<{ handle: string; delegation: Delegation }>
  clear(): Promise<void>
  close(): Promise<void>
}

export async function openTrust(): Promise<Trust> {
  const database = await testDatabase()
  const url = await database.provision('gateway', authorityMigrations, 'authority')
  const admin = new pg.Client({ connectionString: database.url, options: '-c search_path=authority' })
  await admin.connect()
  const authority = createAuthority(url)
  return {
    database,
    url,
    admin,
    authority,
    async elsewhere(ask) {
      const other = createAuthority({ url, max: 4 })
      try {
        return await ask(other)
      } finally {
        await other.close()
      }
    },
    async redeemed(change = {}) {
      const made = await authority.redeemTicket(ticket({ grant: { ...grant, ...change } }))
      if (made === null) throw new Error('the ticket was not redeemed')
      return made
    },
    async clear() {
      await admin.query(
        'truncate behalf.audit_event, subject, delegation, approval, used_ticket, used_workload_token, revocation',
      )
    },
    async close() {
      await authority.close()
      await admin.end()
      await database.close()
    },
  }
}
