import { AppError, type Audit, type Identity, RefusalError } from '@behalf/identity'
import type { FastifyBaseLogger } from 'fastify'
import { denied } from './audit-events.ts'
import { thrownOf } from './mask-error.ts'

/** Writes down what went wrong in one execution. */
export type NoteErrors = (errors: readonly Error[], identity: Identity) => void

/** The log has what `maskError` withholds, and the audit trail what was denied once more. */
export function createNoteErrors(log: FastifyBaseLogger, audit: Audit | null): NoteErrors {
  return (errors, identity) => {
    const { txn } = identity
    const recorded = new Set<string>()
    for (const thrown of errors) {
      const error = thrownOf(thrown)
      const path = 'path' in thrown ? thrown.path : undefined
      if (error instanceof AppError && error.code !== 'INTERNAL') {
        log.info({ txn, code: error.code, path, reason: reasonOf(error) }, 'field refused')
        if (error instanceof RefusalError && isFirst(recorded, `${error.coordinate} ${error.rule}`))
          audit?.record(denied(identity, error))
      } else if (path === undefined) log.info({ txn, ...refusalOf(thrown) }, 'operation refused')
      else log.error({ txn, path, err: error }, 'resolver failed')
    }
  }
}

/** A list may be refused for each of its objects. */
const isFirst = (seen: Set<string>, key: string) => !seen.has(key) && seen.add(key).has(key)

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
