import type { Audit, Identity } from '@behalf/identity'
import type { FastifyBaseLogger } from 'fastify'
import { eventOf } from './audit-events.ts'

/** An object that was not shown. Neither whose it is nor its id: the log is no way around. */
interface Withheld {
  readonly type: string
  /** Of the field that it was resolved for, such as `Query.order`. */
  readonly coordinate: string
  /** As the schema has it: `@owner(field: "userId")`. */
  readonly rule: string
  /** `ownerless`: it does not say whose it is, which is a mistake of the resolver. */
  readonly why: 'foreign' | 'ownerless'
}

export type ReportWithheld = (withheld: Withheld) => void

/** Says once per request what was withheld where: a list may hold many. */
export function createWithheldReport(identity: Identity, log: FastifyBaseLogger, audit: Audit | null): ReportWithheld {
  const reported = new Set<string>()
  return ({ type, coordinate, rule, why }) => {
    const what = `${type} ${coordinate} ${why}`
    if (reported.has(what)) return
    reported.add(what)
    const code = why === 'foreign' ? 'FOREIGN_OBJECT_WITHHELD' : 'OWNERLESS_OBJECT_WITHHELD'
    audit?.record(eventOf(identity, 'object.withheld', { target: coordinate, rule, outcome: code, detail: { type } }))
    const fields = { txn: identity.txn, code: 'FOREIGN_OBJECT_WITHHELD', type, coordinate }
    if (why === 'foreign') log.warn(fields, 'object of another owner withheld')
    else log.error(fields, 'object withheld: it does not have the property that @owner names')
  }
}
