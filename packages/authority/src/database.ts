import type { Facts, RevocationReason } from '@behalf/identity'
import type { ColumnType, Generated } from 'kysely'

/** The tables of migrations/; `bigint` and `timestamptz` as pg reads them. */
export interface Database {
  subject: { issuer: string; sub: string; subject: string; tenant: string; facts: Facts }
  delegation: DelegationTable
  used_ticket: { id: string; expires_at: Date }
  used_workload_token: { id: string; expires_at: Date }
}

export interface DelegationTable {
  id: string
  handle_hash: Buffer
  issuer: string
  subject: string
  tenant: string
  agent: string
  scopes: string[]
  /** Written as JSON. */
  facts: ColumnType<Facts, string, string>
  client: string
  session: string | null
  /** In seconds since the epoch. */
  auth_time: ColumnType<string | null, number | null, number | null>
  acr: string | null
  /** In seconds since the epoch. */
  issued_at: ColumnType<string, number, number>
  parent: string
  created_at: Generated<Date>
  expires_at: Date
  last_used_at: Date | null
  revoked_at: Date | null
  revocation_reason: RevocationReason | null
}
