import { unwrapResolverError } from '@apollo/server/errors'
import { AppError, type Audit, type Identity } from '@behalf/identity'
import type { FastifyBaseLogger } from 'fastify'
import { eventOf, isDenial } from './audit-events.ts'

/** Writes down what went wrong in one execution. */
export type NoteErrors = (errors: readonly Error[], identity: Identity) => void

/** The log has what `maskError` withholds, and the audit trail what was denied once more. */
export function createNoteErrors(log: FastifyBaseLogger, audit: Audit | null): NoteErrors {
  return (errors, identity) => {
    const { txn } = identity
    const denied = new Set<string>()
    for (const thrown of errors) {
      const error = unwrapResolverError(thrown)
      const path = 'path' in thrown ? thrown.path : undefined
      if (error instanceof AppError && error.code !== 'INTERNAL') {
        log.info({ txn, code: error.code, path, reason: reasonOf(error) }, 'field refused')
        const where = place(path)
        if (!isDenial(error) || denied.has(`${where} ${error.code}`)) continue
        denied.add(`${where} ${error.code}`)
        audit?.record(eventOf(identity, 'field.denied', { target: where, outcome: error.code }))
      } else if (path === undefined) log.info({ txn, ...refusalOf(thrown) }, 'operation refused')
      else log.error({ txn, path, err: error }, 'resolver failed')
    }
  }
}

/** Where in the answer; which of a list's is not told. */
const place = (path: unknown) => (Array.isArray(path) ? path.filter((key) => typeof key === 'string').join('.') : null)

/** Why GraphQL refuses a request. Where variables are at fault the message holds their values, which are the user's. */
function refusalOf({ message, extensions }: Error & { extensions?: { code?: unknown } }): object {
  const code = extensions?.code
  return code === 'BAD_USER_INPUT' ? { code } : { code, reason: message }
}

/** Why, in one line: causes are texts or errors. */
export function reasonOf({ cause }: AppError): string | undefined {
  if (cause instanceof Error) return cause.message
  return typeof cause === 'string' ? cause : undefined
}
