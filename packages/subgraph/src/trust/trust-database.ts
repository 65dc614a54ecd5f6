import type { SubgraphContext } from '../request-context.ts'

/** What the gateway's `authority` and the library show a subgraph whose migrations ask for it. */
interface TrustTables {
  'behalf.audit_event': {
    id: string
    source: string
    txn: string | null
    parent: string | null
    at: Date
    subject: string | null
    actor: string | null
    what: string
    target: string | null
    rule: string | null
    outcome: string
    duration_ms: number | null
  }
  'authority.delegation': {
    id: string
    subject: string
    agent: string
    client: string
    scopes: string[]
    created_at: Date
    expires_at: Date
    last_used_at: Date | null
    revoked_at: Date | null
  }
  'authority.approval': {
    id: string
    subject: string
    delegation: string
    agent: string
    tool: string
    arguments_hash: string
    summary: string
    created_at: Date
    expires_at: Date
    decision: 'APPROVE' | 'REJECT' | null
    resolved_at: Date | null
    ended_at: Date | null
    used_at: Date | null
  }
}

/** A resolver's context, whatever tables the subgraph has of its own. */
export type TrustContext = Pick<SubgraphContext<unknown>, 'identity' | 'ticket'> & { readonly db: object }

export type TrustDatabase = SubgraphContext<TrustTables>['db']

/** The same database, as which of its tables are meant here. */
export const trustDatabase = ({ db }: Pick<TrustContext, 'db'>): TrustDatabase => db as TrustDatabase
