import { demoUsers } from './demo-users.ts'
import type { User } from './users.ts'

/** A row of the authority: who a `sub` of an issuer is to us, and which facts are known. */
export interface Subject {
  readonly issuer: string
  readonly sub: string
  readonly subject: string
  readonly tenant: string
  readonly facts: Readonly<Record<string, string | readonly string[]>>
}

/** The users as an issuer names them: demo users by their own name, others by what follows `usr_`. */
export function subjectRows(users: readonly User[], issuer: string): readonly Subject[] {
  const demo = new Map(demoUsers.map((user) => [user.subject, user]))
  return users.map(({ id, tenant, name, email, tier }) => ({
    issuer,
    sub: demo.get(id)?.name ?? id.slice('usr_'.length),
    subject: id,
    tenant,
    facts: { name, email, tier, roles: demo.get(id)?.roles ?? ['customer'] },
  }))
}
