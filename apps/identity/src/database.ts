/** Tables of the schema `identity`, as migrations/ makes them, and what the gateway's `authority` and the library show this app. */
export interface Database {
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
  users: {
    id: string
    tenant: string
    name: string
    email: string
    tier: 'basic' | 'premium' | 'support'
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
