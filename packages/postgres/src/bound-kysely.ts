import {
  DefaultQueryExecutor,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  type TransactionSettings,
} from 'kysely'
import type { Statement } from './batch.ts'
import type { CallerConnection } from './caller-connection.ts'
import type { Turns } from './turns.ts'

/**
 * A Kysely whose every query runs on `connection`. Its `transaction()` makes a savepoint; for as long as one is open,
 * queries from elsewhere in the request wait, so that they are not undone with it.
 */
export function boundKysely<Tables>(connection: CallerConnection, turns: Turns): Kysely<Tables> {
  const driver = new SavepointDriver(connection)
  const compiler = new PostgresQueryCompiler()
  const adapter = new PostgresAdapter()
  const dialect: Dialect = {
    createAdapter: () => adapter,
    createDriver: () => driver,
    createIntrospector: (db) => new PostgresIntrospector(db),
    createQueryCompiler: () => compiler,
  }
  const executor = new DefaultQueryExecutor(compiler, adapter, {
    provideConnection: (consumer) => turns.take(async () => consumer(await driver.acquireConnection())),
  })
  return new Kysely<Tables>({ config: { dialect }, dialect, driver, executor })
}

const together = Symbol('together')
interface Together {
  readonly [together]: readonly Statement[]
}

/**
 * Runs statements one after the other in one round trip, in a bound transaction or one nested in it. None that follows one that
 * failed is run.
 *
 * @returns their rows
 * @throws as a query does; of what does not belong to a bound transaction, an error of the database's
 */
export async function queryTogether<Tables>(
  db: Kysely<Tables>,
  statements: readonly Statement[],
): Promise<readonly (readonly object[])[]> {
  const query = { ...CompiledQuery.raw(''), [together]: statements } satisfies Together
  const { rows } = await db.executeQuery<{ readonly rows: readonly object[] }>(query)
  return rows.map((result) => result.rows)
}

/** One use of the connection: a query, or a nested transaction with its savepoint. */
class Use implements DatabaseConnection {
  readonly connection: CallerConnection
  /** Its name, once a nested transaction has begun. */
  savepoint = ''

  constructor(connection: CallerConnection) {
    this.connection = connection
  }

  async executeQuery<R>(query: CompiledQuery & Partial<Together>): Promise<QueryResult<R>> {
    const { sql, parameters } = query
    if (query[together]) return { rows: (await this.connection.queries(query[together])) as readonly unknown[] as R[] }
    const { command, rowCount, rows } = await this.connection.query(sql, parameters)
    const affected = ['INSERT', 'UPDATE', 'DELETE', 'MERGE'].includes(command) ? rowCount : null
    return { rows: rows as R[], ...(affected === null ? {} : { numAffectedRows: BigInt(affected) }) }
  }

  // oxlint-disable-next-line require-yield
  async *streamQuery<R>(): AsyncIterableIterator<QueryResult<R>> {
    throw new Error('A bound transaction does not stream.')
  }
}

class SavepointDriver implements Driver {
  readonly #connection: CallerConnection

  constructor(connection: CallerConnection) {
    this.#connection = connection
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<Use> {
    return new Use(this.#connection)
  }

  async releaseConnection(): Promise<void> {}

  async beginTransaction(use: Use, { accessMode, isolationLevel }: TransactionSettings): Promise<void> {
    if (accessMode !== undefined || isolationLevel !== undefined) {
      throw new Error('A transaction inside a bound one takes its access mode and isolation level from that.')
    }
    use.savepoint = this.#connection.savepoint()
  }

  async commitTransaction(use: Use): Promise<void> {
    await this.#connection.release(use.savepoint)
  }

  async rollbackTransaction(use: Use): Promise<void> {
    await this.#connection.rollbackTo(use.savepoint)
  }

  async destroy(): Promise<void> {
    throw new Error('A bound transaction is ended by the framework.')
  }
}
