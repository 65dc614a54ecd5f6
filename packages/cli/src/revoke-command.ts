import { createAuthority } from '@behalf/authority'
import { AppError, type Revoked } from '@behalf/identity'
import type { Terminal } from './run.ts'

interface Given {
  readonly subject?: string | undefined
  readonly issuer?: string | undefined
  readonly session?: string | undefined
  readonly delegation?: string | undefined
}

/** Whom or what the options mean; null where they mean nothing, or more than one. */
export function readRevoked({ subject, issuer, session, delegation }: Given): Revoked | null {
  const isOnly = (...others: (string | undefined)[]) => others.every((other) => other === undefined)
  if (subject && isOnly(session, delegation) && issuer !== '')
    return { kind: 'subject', issuer: issuer ?? null, subject }
  if (session && issuer && isOnly(subject, delegation)) return { kind: 'session', issuer, session }
  if (delegation && isOnly(subject, session, issuer)) return { kind: 'delegation', delegation }
  return null
}

export async function revokeCommand(
  options: { readonly revoked: Revoked; readonly databaseUrl: string | null },
  terminal: Terminal,
): Promise<number> {
  const { revoked, databaseUrl } = options
  if (databaseUrl === null) {
    terminal.error('DATABASE_URL must be set: where the gateway keeps its records, as role "gateway".')
    return 2
  }
  const authority = createAuthority({ url: databaseUrl, max: 1 })
  try {
    const { what, unknown } = describe(revoked)
    if (!(await authority.revoke(revoked, 'OPERATOR'))) {
      terminal.error(`Nothing was ended: ${unknown}.`)
      return 1
    }
    terminal.out(`Ended: ${what}.`)
    return 0
  } catch (error) {
    terminal.error(`Nothing was ended, the database does not do it: ${reasonOf(error)}`)
    return 1
  } finally {
    await authority.close()
  }
}

/** PostgreSQL's own words, or those of the connection to it, where there are some. */
function reasonOf(error: unknown): string {
  const cause = error instanceof AppError ? error.cause : error
  // A host with two addresses that both refuse is an AggregateError, whose own message is empty.
  const first: unknown = cause instanceof AggregateError ? cause.errors[0] : cause
  return first instanceof Error ? first.message : String(first)
}

function describe(revoked: Revoked): { readonly what: string; readonly unknown: string } {
  switch (revoked.kind) {
    case 'subject': {
      const { issuer, subject } = revoked
      return issuer === null
        ? {
            what: `all sessions and delegations of ${subject}, until now`,
            unknown: `nobody is known as ${subject}`,
          }
        : {
            what: `all sessions of ${subject} with ${issuer}, and what was delegated in them, until now`,
            unknown: `nobody is known as ${subject} through ${issuer}`,
          }
    }
    case 'session':
      return {
        what: `the session ${revoked.session} of ${revoked.issuer}, and what was delegated in it`,
        unknown: `nobody is known through ${revoked.issuer}`,
      }
    case 'delegation':
      return {
        what: `the delegation ${revoked.delegation}`,
        unknown: `no delegation ${revoked.delegation} is in force`,
      }
  }
}
