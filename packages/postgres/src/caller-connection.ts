import { AppError } from '@behalf/identity'
import type { Pool, PoolClient, QueryResult } from 'pg'
import { runBatch, type Statement } from './batch.ts'
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
  #open: { client: PoolClient; onLost: (error: unknown) => void } | undefined
  /** What is sent together with the next statement: the beginning, and savepoints that nothing has happened in yet. */
  #pending: Statement[] = []
  /** Batches that were sent and are not answered. */
  #underWay = 0
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
    const [result] = await this.queries([{ text, values }])
    return result as QueryResult<object>
  }

  /** Runs several in one round trip. */
  async queries(statements: readonly Statement[]): Promise<readonly QueryResult<object>[]> {
    requireQueries(statements)
    return this.#send(statements)
  }

  /** Has a statement of ours run before whatever comes next, at the latest with the commit. */
  defer(statement: Statement): void {
    this.#pending.push(statement)
  }

  /** Opens a savepoint, with the first statement in it; answers its name. */
  savepoint(): string {
    this.#requireWhole()
    const name = `behalf_${++this.#made}`
    this.#pending.push({ text: `savepoint ${name}` })
    this.#savepoints.push(name)
    return name
  }

  async release(savepoint: string): Promise<void> {
    this.#requireWhole()
    this.#forget(savepoint)
    if (this.#isPending(savepoint)) return
    const release = { text: `release savepoint ${savepoint}` }
    // What was refused in it is told here, and not to whoever comes next.
    if (this.#underWay === 0 && this.#open?.client.getTransactionStatus() === 'T') this.#pending.push(release)
    else await this.#send([release])
  }

  async rollbackTo(savepoint: string): Promise<void> {
    this.#forget(savepoint)
    if (this.#isPending(savepoint)) return
    // Nothing to go back to: the transaction itself is gone, and with it all that came after the savepoint.
    if (this.#open === undefined) return
    this.#pending = []
    await this.#send([{ text: `rollback to savepoint ${savepoint}` }, { text: `release savepoint ${savepoint}` }])
  }

  /**
   * @param last - statements that are run before, in the same round trip
   * @returns their results
   * @throws AppError OUTCOME_UNKNOWN if the connection was lost while it committed, UNAVAILABLE if before; INTERNAL if
   * PostgreSQL rolled back because a statement had failed, or if a nested transaction is still open (all is undone)
   */
  async commit(last: readonly Statement[] = []): Promise<readonly QueryResult<object>[]> {
    this.#requireWhole()
    requireQueries(last)
    if (this.#savepoints.length > 0) {
      await this.rollback()
      throw new AppError('INTERNAL', undefined, { cause: new Error('Committed while a nested transaction was open.') })
    }
    if (this.#open === undefined && last.length + this.#pending.length === 0) return []
    const open = this.#open ?? (await this.#begin())
    let results: readonly QueryResult<object>[]
    try {
      results = await this.#run(open.client, [...last, { text: 'commit', name: 'behalf_commit' }])
    } catch (error) {
      this.#giveBack(true)
      this.#conflicted ||= isConflict(error)
      if (this.#mode === 'write' && isConnectionLost(error))
        throw new AppError('OUTCOME_UNKNOWN', undefined, { cause: error })
      throw asAppError(error)
    }
    this.#giveBack(open.client.getTransactionStatus() !== 'I')
    if (results.at(-1)?.command !== 'COMMIT') {
      throw new AppError('INTERNAL', undefined, {
        cause: new Error('Rolled back at commit: a statement before had failed.'),
      })
    }
    return results.slice(0, -1)
  }

  /** Undoes everything since the transaction began. Never throws: a connection that cannot do it is destroyed. */
  async rollback(): Promise<void> {
    this.#lost = undefined
    this.#savepoints.length = 0
    this.#pending = []
    const open = this.#open
    if (open === undefined) return
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

  async #send(statements: readonly Statement[]): Promise<readonly QueryResult<object>[]> {
    this.#requireWhole()
    const open = this.#open ?? (await this.#begin())
    try {
      const results = await this.#run(open.client, statements)
      if (open.client.getTransactionStatus() !== 'I') return results
    } catch (error) {
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

  /**
   * By the extended protocol, which takes one statement at a time, so that none can be smuggled in behind a semicolon; what was
   * waiting to be sent comes first.
   */
  async #run(client: PoolClient, statements: readonly Statement[]): Promise<readonly QueryResult<object>[]> {
    const before = this.#pending
    this.#pending = []
    this.#underWay++
    try {
      return (await runBatch(client, [...before, ...statements])).slice(before.length)
    } finally {
      this.#underWay--
    }
  }

  /** Begins and says who is calling in the same round trip as the first query. */
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
    this.#pending.unshift(beginnings[this.#mode === 'read' ? 'read' : this.#isolation], {
      name: 'behalf_caller',
      text: `select set_config('behalf.sub', $1, true), set_config('behalf.tenant', $2, true),
             set_config('behalf.scopes', $3, true), set_config('behalf.actor', $4, true)`,
      values: [sub, tenant, scopes, actor],
    })
    const onLost = (error: unknown) => this.#lose(client, error)
    client.on('error', onLost)
    return (this.#open = { client, onLost })
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
    this.#pending = []
    open.client.off('error', open.onLost)
    open.client.release(inDoubt)
  }

  /** Whether a savepoint was not sent yet: then nothing happened in it, and it is taken back with all that came after. */
  #isPending(savepoint: string): boolean {
    const at = this.#pending.findIndex(({ text }) => text === `savepoint ${savepoint}`)
    if (at >= 0) this.#pending.length = at
    return at >= 0
  }

  #forget(savepoint: string): void {
    const at = this.#savepoints.indexOf(savepoint)
    if (at >= 0) this.#savepoints.length = at
  }
}

const beginnings = {
  read: { name: 'behalf_begin_read', text: 'begin read only' },
  'read committed': { name: 'behalf_begin', text: 'begin isolation level read committed read write' },
  serializable: { name: 'behalf_begin_serializable', text: 'begin isolation level serializable read write' },
} as const satisfies Record<Isolation | 'read', Statement>

function requireQueries(statements: readonly Statement[]): void {
  for (const { text } of statements)
    if (!query.test(text) || reserved.test(text)) {
      throw new Error(
        'A bound transaction runs queries only (select, insert, update, delete, merge, values, explain); ' +
          'it is begun, configured and ended by the framework.',
      )
    }
}

const ended = () =>
  new AppError('UNAVAILABLE', undefined, { cause: new Error('A query after the end of its request.') })
