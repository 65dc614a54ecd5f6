/** Tables of the schema `identity`, as migrations/ makes them, and what the gateway's `authority` shows this app. */
export interface Database {
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
}
