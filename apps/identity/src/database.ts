/** Tables of the schema `identity`, as migrations/ makes them, and the library's table of events. */
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
}
