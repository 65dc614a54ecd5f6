import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { authorityMigrations } from '@behalf/authority'
import type { TestSubgraph } from '@behalf/testing'
import { sql } from 'kysely'
import type { Database } from './database.ts'

/** The gateway's records, of which this app shows some rows. */
export const authority = { name: 'gateway', schema: 'authority', migrations: authorityMigrations }

/** As the gateway makes one when a ticket is redeemed; answers its id. */
export async function delegate(
  { admin }: TestSubgraph<Database>,
  subject: string,
  { expiresIn = '15 minutes', agent = 'assistant' }: { expiresIn?: string; agent?: string } = {},
): Promise<string> {
  const id = `dlg_${randomBytes(16).toString('base64url')}`
  await sql`
    insert into authority.delegation (id, handle_hash, issuer, subject, tenant, agent, scopes, facts, client, session,
      issued_at, parent, created_at, expires_at)
    values (${id}, ${randomBytes(32)}, 'https://issuer.test', ${subject}, 'acme', ${agent}, '{orders:read,chat}', '{}',
      'behalf-cli', 'sid-1', 1790000000, '01980f6e-1111-7abc-8def-0123456789ab', now() - interval '1 hour', now() + ${expiresIn}::interval)
  `.execute(admin)
  return id
}

export const hashOf = (text: string) => createHash('sha256').update(text).digest('base64url')

/** As the gateway asks a user under a delegation of theirs; answers its id. */
export async function ask(
  { admin }: TestSubgraph<Database>,
  delegation: string,
  { expiresIn = '1 hour', summary = 'Cancel order "ord_1"' }: { expiresIn?: string; summary?: string } = {},
): Promise<string> {
  const id = `apr_${randomBytes(16).toString('base64url')}`
  await sql`
    insert into authority.approval (id, delegation, subject, tenant, agent, parent, run, call, tool, tool_version,
      arguments_hash, summary, asked_in, expires_at)
    select ${id}, d.id, d.subject, d.tenant, d.agent, d.parent::uuid, 'run_1', ${randomUUID()}, 'cancel_order', 'v1',
      ${hashOf('ord_1')}, ${summary}, d.parent::uuid, now() + ${expiresIn}::interval
    from authority.delegation d where d.id = ${delegation}
  `.execute(admin)
  return id
}
