import { AppError, type Identity, type VerifiedContext } from '@behalf/identity'
import type { BoundTransaction } from '@behalf/postgres'
import type { ReportWithheld } from './report-withheld.ts'
import type { RequestTransaction } from './request-transaction.ts'

/** What every resolver is given. */
export interface SubgraphContext<Tables> {
  /** Who is calling, as the gateway vouched for it. */
  readonly identity: Identity
  /**
   * The caller's database: every query of the request runs in one transaction, in which row-level security
   * shows what is the caller's. Read-only unless the operation is a mutation.
   */
  readonly db: BoundTransaction<Tables>['db']
  /** In `@delegates` fields: what an agent's runner redeems at the gateway. In `@approves` fields: the proof. Never log it. */
  readonly ticket: string | null
  /**
   * Makes what was written so far durable, before waiting for something outside. Later queries run in a new
   * transaction, and an error in the field no longer undoes what was committed.
   */
  commit(): Promise<void>
}

/** The transaction behind a context, for this package only: not exported, so a resolver cannot reach it. */
export const transaction = Symbol('transaction')
/** Where it is said that an object was withheld; for this package only, too. */
export const withhold = Symbol('withhold')

export class RequestContext<Tables> implements SubgraphContext<Tables> {
  readonly identity: Identity
  readonly ticket: string | null
  readonly commit: () => Promise<void>
  readonly [transaction]: RequestTransaction<Tables> | null
  readonly [withhold]: ReportWithheld

  constructor(
    { identity, ticket }: VerifiedContext,
    open: RequestTransaction<Tables> | null,
    reportWithheld: ReportWithheld,
  ) {
    this.identity = identity
    this.ticket = ticket
    this[transaction] = open
    this[withhold] = reportWithheld
    this.commit = async () => open?.commit()
  }

  get db(): BoundTransaction<Tables>['db'] {
    const open = this[transaction]
    if (open === null) throw new AppError('INTERNAL', undefined, { cause: 'createSubgraph was called without db' })
    return open.db
  }
}
