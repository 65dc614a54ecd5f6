import pg from 'pg'

export interface Statement {
  readonly text: string
  readonly values?: readonly unknown[] | undefined
  /**
   * Of a text that does not change: each connection reads and plans it once. Names are kept for as long as the connection, so they
   * are written in the code, and never made of what was asked for.
   */
  readonly name?: string
}

/**
 * Runs statements one after the other in one round trip: all of them are sent at once and answered together (PostgreSQL,
 * "Pipelining"). None that follows one that failed is run.
 *
 * @returns a result for each
 * @throws the error of the first that failed
 */
export function runBatch(
  client: pg.PoolClient,
  statements: readonly Statement[],
): Promise<readonly pg.QueryResult<object>[]> {
  return new Promise((resolve, reject) => {
    const batch = new Batch(statements, (error, results) => {
      if (error) reject(error)
      else resolve(Array.isArray(results) ? results : [results])
    })
    client.query(batch)
  })
}

type Callback = (error: Error | null, results: pg.QueryResult<object> | pg.QueryResult<object>[]) => void

/** What pg's own query does, and its types do not say. */
interface OwnQuery {
  text: string
  values: unknown[]
  name: string | undefined
  callback: Callback
  prepare(connection: Sent): void
  handleError(error: Error, connection: pg.Connection): void
}

/** What a query sends, as messages of the protocol. */
interface Sent extends Pick<pg.Connection, 'parse' | 'bind' | 'describe' | 'execute' | 'close' | 'sync'> {
  readonly parsedStatements: Record<string, string>
  readonly submittedNamedStatements: Record<string, string>
}

/** What a connection has prepared for us; a name of which that is not known any more is given up before it is used again. */
interface Prepared {
  readonly texts: Record<string, string>
  readonly doubtful: Set<string>
}

const preparedBy = new WeakMap<object, Prepared>()
/** Statements that return nothing, of which nobody has to ask what they return. */
const bare = /^(?:begin|commit|rollback|savepoint|release)\b/
const nothing = () => undefined

/** Several statements up to one `Sync`, as pg knows only single ones: it takes the results of each for more of the same. */
export class Batch extends (pg.Query as unknown as new (config: object) => OwnQuery & pg.Submittable) {
  readonly statements: readonly Statement[]
  #new: string[] = []
  #prepared: Prepared = { texts: {}, doubtful: new Set() }
  #isFailed = false

  constructor(statements: readonly Statement[], callback: Callback) {
    super({ text: 'batch', values: [], queryMode: 'extended', callback })
    this.statements = statements
  }

  override prepare(connection: pg.Connection & Sent): void {
    const known = preparedBy.get(connection) ?? { texts: Object.create(null), doubtful: new Set<string>() }
    preparedBy.set(connection, known)
    this.#prepared = known
    const to = (isBare: boolean): Sent => ({
      parsedStatements: known.texts,
      submittedNamedStatements: known.texts,
      parse: (...of) => connection.parse(...of),
      bind: (...of) => connection.bind(...of),
      describe: isBare ? nothing : (...of) => connection.describe(...of),
      execute: (...of) => connection.execute(...of),
      close: nothing,
      sync: nothing,
    })
    for (const { text, values = [], name } of this.statements) {
      if (name !== undefined && known.texts[name] === undefined) {
        this.#new.push(name)
        if (known.doubtful.delete(name)) connection.close({ type: 'S', name }, true)
      }
      this.text = text
      this.values = [...values]
      this.name = name
      super.prepare(to(bare.test(text)))
      // A value that cannot be sent: what would follow is not to be run without it.
      if (this.#isFailed) break
    }
    this.name = undefined
    connection.sync()
  }

  override handleError(error: Error, connection: pg.Connection): void {
    this.#isFailed = true
    for (const name of this.#new.splice(0)) {
      delete this.#prepared.texts[name]
      this.#prepared.doubtful.add(name)
    }
    super.handleError(error, connection)
  }
}
