import type { Generated } from 'kysely'

/** Tables of the schema `practice`, as migrations/ makes them. */
export interface Database {
  patients: { id: string; practice: string; name: string }
  appointments: {
    id: Generated<string>
    patient: Generated<string>
    practice: Generated<string>
    at: Date
    reason: string
  }
}
