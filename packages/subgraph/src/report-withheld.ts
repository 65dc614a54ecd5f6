import type { Identity } from '@behalf/identity'
import type { FastifyBaseLogger } from 'fastify'

/** An object that was not shown. Neither whose it is nor its id: the log is no way around. */
interface Withheld {
  readonly type: string
  /** Of the field that it was resolved for, such as `Query.order`. */
  readonly coordinate: string
  /** `ownerless`: it does not say whose it is, which is a mistake of the resolver. */
  readonly why: 'foreign' | 'ownerless'
}

export type ReportWithheld = (withheld: Withheld) => void

/** Says once per request what was withheld where: a list may hold many. */
export function createWithheldReport({ txn }: Identity, log: FastifyBaseLogger): ReportWithheld {
  const reported = new Set<string>()
  return ({ type, coordinate, why }) => {
    const what = `${type} ${coordinate} ${why}`
    if (reported.has(what)) return
    reported.add(what)
    const fields = { txn, code: 'FOREIGN_OBJECT_WITHHELD', type, coordinate }
    if (why === 'foreign') log.warn(fields, 'object of another owner withheld')
    else log.error(fields, 'object withheld: it does not have the property that @owner names')
  }
}
