/** Tables of the schema `identity`, as migrations/ makes them. */
export interface Database {
  users: {
    id: string
    tenant: string
    name: string
    email: string
    tier: 'basic' | 'premium' | 'support'
  }
}
