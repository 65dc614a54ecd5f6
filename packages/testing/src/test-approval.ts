import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import type { TestSubgraph } from './test-subgraph.ts'

export interface TestDelegationOptions {
  /** As PostgreSQL reads an interval. Default `15 minutes`. */
  readonly expiresIn?: string
  /** Default `assistant`. */
  readonly agent?: string
}

export interface TestApprovalOptions {
  /** As PostgreSQL reads an interval. Default `1 hour`. */
  readonly expiresIn?: string
  /** What the user is asked. Default `Cancel order "ord_1"`. */
  readonly summary?: string
}

/**
 * A delegation by `subject`, as the gateway makes one when a ticket is redeemed; answers its id. The gateway's records have to
 * be there: `beside: [authoritySchema]`, of @behalf/authority.
 */
export async function testDelegation<Tables>(
  { admin }: Pick<TestSubgraph<Tables>, 'admin'>,
  subject: string,
  { expiresIn = '15 minutes', agent = 'assistant' }: TestDelegationOptions = {},
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

/** The `argumentsHash` of what `testApproval` asks. */
export const testArgumentsHash = createHash('sha256').update('ord_1').digest('base64url')

/** What the gateway asks a user under a delegation of theirs; answers its id. */
export async function testApproval<Tables>(
  { admin }: Pick<TestSubgraph<Tables>, 'admin'>,
  delegation: string,
  { expiresIn = '1 hour', summary = 'Cancel order "ord_1"' }: TestApprovalOptions = {},
): Promise<string> {
  const id = `apr_${randomBytes(16).toString('base64url')}`
  await sql`
    insert into authority.approval (id, delegation, subject, tenant, agent, parent, run, call, tool, tool_version,
      arguments_hash, summary, asked_in, expires_at)
    select ${id}, d.id, d.subject, d.tenant, d.agent, d.parent::uuid, 'run_1', ${randomUUID()}, 'cancel_order', 'v1',
      ${testArgumentsHash}, ${summary}, d.parent::uuid, now() + ${expiresIn}::interval
    from authority.delegation d where d.id = ${delegation}
  `.execute(admin)
  return id
}
