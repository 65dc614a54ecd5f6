import { AppError } from '@behalf/identity'
import type { Pool, PoolClient, QueryResult } from 'pg'
import type { CallerSettings } from './caller.ts'
import { asAppError, isConflict, isConnectionLost } from './database-error.ts'

/** What a resolver's statement may begin with, after comments: none of these outlives or changes the transaction. */
const query = new RegExp(
  String.raw`^(?:\s|--[^\n]*\n|/\*(?:[^*]|\*(?!/))*\*/|\()*` +
    String.raw`(?:select|insert|update|delete|merge|with|values|table|explain)\b`,
  'i',
)
/** Functions that change the caller, or what outlives the transaction. */
const reserved = /set_config|pg_(?:try_)?advisory_lock/i

/** Of a transaction that writes (PostgreSQL, "Transaction Isolation"). */
export type Isolation = 'read committed' | 'serializable'

/**
 * The one connection of a bound transaction: taken from the pool with the first query, which begins the transaction
 * as the caller, and given back when that ends. A connection in doubt is destroyed, never given back.
 */
export class CallerConnection {
  readonly #pool: Pool
  readonly #caller: CallerSettings
  readonly #mode: 'read' | 'write'
  readonly #isolation: Isolation
  #conflicted = false
  #open: { client: PoolClient; begun: Promise<unknown>; onLost: (error: unknown) => void } | undefined
  /** Why what was written before is gone; until a rollback nothing goes on as if it were there. */
  #lost: { readonly cause: unknown } | undefined
  #ended = false
  /** Savepoints that are open, innermost last. */
  readonly #savepoints: string[] = []
  #made = 0

  constructor(pool: Pool, caller: CallerSettings, mode: 'read' | 'write', isolation: Isolation = 'read committed') {
    this.#pool = pool
    this.#caller = caller
    this.#mode = mode
    this.#isolation = isolation
  }

  /** Whether PostgreSQL undid something here only because of others at the same time: all of it may be done again. */
  get conflicted(): boolean {
    return this.#conflicted
  }

  /** Runs one statement of a resolver's. What is refused here is refused against mistakes, not against malice. */
  async query(text: string, values: readonly unknown[]): Promise<QueryResult<object>> {
    if (!query.test(text) || reserved.test(text)) {
      throw new Error(
        'A bound transaction runs queries only (select, insert, update, delete, merge, values, explain); ' +
          'it is begun, configured and ended by the framework.',
      )
    }
    return this.#send(text, values)
  }

  /** Opens a savepoint; answers its name. */
  async savepoint(): Promise<string> {
    const name = `behalf_${++this.#made}`
    await this.#send(`savepoint ${name}`)
    this.#savepoints.push(name)
    return name
  }

  async release(savepoint: string): Promise<void> {
    await this.#send(`release savepoint ${savepoint}`)
    this.#forget(savepoint)
  }

  async rollbackTo(savepoint: string): Promise<void> {
    this.#forget(savepoint)
    // Nothing to go back to: the transaction itself is gone, and with it all that came after the savepoint.
    if (this.#open === undefined) return
    await this.#send(`rollback to savepoint ${savepoint}`)
    await this.#send(`release savepoint ${savepoint}`)
  }

  /**
   * @throws AppError OUTCOME_UNKNOWN if the connection was lost while it committed, UNAVAILABLE if before; INTERNAL if
   * PostgreSQL rolled back because a statement had failed, or if a nested transaction is still open (all is undone)
   */
  async commit(): Promise<void> {
    this.#requireWhole()
    const open = this.#open
    if (open === undefined) return
    if (this.#savepoints.length > 0) {
      await this.rollback()
      throw new AppError('INTERNAL', undefined, { cause: new Error('Committed while a nested transaction was open.') })
    }
    let result: QueryResult<object>
    try {
      await open.begun
      result = await open.client.query('commit')
    } catch (error) {
      this.#giveBack(true)
      this.#conflicted ||= isConflict(error)
      if (this.#mode === 'write' && isConnectionLost(error))
        throw new AppError('OUTCOME_UNKNOWN', undefined, { cause: error })
      throw asAppError(error)
    }
    this.#giveBack(open.client.getTransactionStatus() !== 'I')
    if (result.command !== 'COMMIT') {
      throw new AppError('INTERNAL', undefined, {
        cause: new Error('Rolled back at commit: a statement before had failed.'),
      })
    }
  }

  /** Undoes everything since the transaction began. Never throws: a connection that cannot do it is destroyed. */
  async rollback(): Promise<void> {
    this.#lost = undefined
    const open = this.#open
    if (open === undefined) return
    this.#savepoints.length = 0
    const undone = await open.client.query('rollback').then(
      () => true,
      () => false,
    )
    if (this.#open === open) this.#giveBack(!undone || open.client.getTransactionStatus() !== 'I')
  }

  /** Undoes what was not committed, and lets nothing begin after it. Never throws. */
  async end(): Promise<void> {
    this.#ended = true
    await this.rollback()
  }

  async #send(text: string, values: readonly unknown[] = []): Promise<QueryResult<object>> {
    this.#requireWhole()
    const open = this.#open ?? (await this.#begin())
    try {
      // The extended protocol takes one statement at a time, so that none can be smuggled in behind a semicolon.
      const result = await open.client.query<object>({ text, values: [...values], queryMode: 'extended' } as {
        text: string
      })
      await open.begun
      if (open.client.getTransactionStatus() !== 'I') return result
    } catch (failure) {
      // What failed first is why: after it, PostgreSQL only says that the transaction is aborted.
      const error: unknown = await open.begun.then(
        () => failure,
        (cause: unknown) => cause,
      )
      this.#conflicted ||= isConflict(error)
      if (isConnectionLost(error)) this.#lose(open.client, error)
      // Nothing is lost by starting over where nothing was written: one field's failure is not its siblings'.
      else if (this.#mode === 'read' && this.#savepoints.length === 0) await this.rollback()
      throw asAppError(error)
    }
    const cause = new Error('A query ended the bound transaction.')
    this.#lose(open.client, cause)
    throw cause
  }

  /** Begins and says who is calling in the same round trip as the first query (the pool's clients pipeline). */
  async #begin() {
    let client: PoolClient
    try {
      client = await this.#pool.connect()
    } catch (error) {
      throw new AppError('UNAVAILABLE', undefined, { cause: error })
    }
    if (this.#ended) {
      client.release()
      throw ended()
    }
    const { sub, tenant, scopes, actor } = this.#caller
    const begun = Promise.all([
      client.query(this.#mode === 'read' ? 'begin read only' : `begin isolation level ${this.#isolation} read write`),
      client.query({
        text: `select set_config('behalf.sub', $1, true), set_config('behalf.tenant', $2, true),
               set_config('behalf.scopes', $3, true), set_config('behalf.actor', $4, true)`,
        values: [sub, tenant, scopes, actor],
      }),
    ])
    // Looked at after the first query, which fails or sees nothing if this did.
    begun.catch(() => undefined)
    const onLost = (error: unknown) => this.#lose(client, error)
    client.on('error', onLost)
    return (this.#open = { client, begun, onLost })
  }

  #lose(client: PoolClient, cause: unknown): void {
    if (this.#open?.client !== client) return
    this.#giveBack(true)
    // A transaction that only reads is begun anew.
    if (this.#mode === 'write') this.#lost = { cause }
  }

  #requireWhole(): void {
    if (this.#ended) throw ended()
    if (this.#lost !== undefined) throw new AppError('UNAVAILABLE', undefined, { cause: this.#lost.cause })
  }

  #giveBack(inDoubt: boolean): void {
    const open = this.#open
    if (open === undefined) return
    this.#open = undefined
    this.#savepoints.length = 0
    open.client.off('error', open.onLost)
    open.client.release(inDoubt)
  }

  #forget(savepoint: string): void {
    const at = this.#savepoints.indexOf(savepoint)
    if (at >= 0) this.#savepoints.length = at
  }
}

const ended = () =>
  new AppError('UNAVAILABLE', undefined, { cause: new Error('A query after the end of its request.') })
