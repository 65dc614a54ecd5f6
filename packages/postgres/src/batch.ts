import pg from 'pg'
import { serialize } from 'pg-protocol'

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

/** Runs one statement on any connection of a pool. */
export async function ask<Row extends object>(
  pool: pg.Pool,
  statement: Statement,
): Promise<Pick<pg.QueryResult<Row>, 'rows' | 'rowCount'>> {
  // The pool answers with what the query is called back with.
  return await (pool.query(new Batch([statement])) as unknown as Promise<pg.QueryResult<Row>>)
}

type Callback = (error: Error | null, results: pg.QueryResult<object> | pg.QueryResult<object>[]) => void

/** What pg's own query does, and its types do not say. */
interface OwnQuery {
  text: string
  values: unknown[]
  name: string | undefined
  callback: Callback
  prepare(connection: Messages): void
  handleError(error: Error, connection: pg.Connection): void
}

/** Where pg's query writes its messages to: here together in one piece, since each is a write of its own otherwise. */
class Messages {
  readonly parsedStatements: Record<string, string>
  readonly submittedNamedStatements: Record<string, string>
  readonly #bytes: Buffer[] = []
  isBare = false

  constructor(texts: Record<string, string>) {
    this.parsedStatements = texts
    this.submittedNamedStatements = texts
  }
  parse(query: Parameters<typeof serialize.parse>[0]): void {
    this.#bytes.push(serialize.parse(query))
  }
  bind(bound: Parameters<typeof serialize.bind>[0]): void {
    this.#bytes.push(serialize.bind(bound))
  }
  describe(portal: Parameters<typeof serialize.describe>[0]): void {
    if (!this.isBare) this.#bytes.push(serialize.describe(portal))
  }
  execute(portal: Parameters<typeof serialize.execute>[0]): void {
    this.#bytes.push(serialize.execute(portal))
  }
  forget(name: string): void {
    this.#bytes.push(serialize.close({ type: 'S', name }))
  }
  // One is sent, at the end.
  sync(): void {}
  /** Of a statement that cannot be sent; whether it was prepared is not known, then. */
  close(): void {}
  all(): Buffer {
    return Buffer.concat([...this.#bytes, serialize.sync()])
  }
}

/** What a connection has prepared for us; a name of which that is not known any more is given up before it is used again. */
interface Prepared {
  readonly texts: Record<string, string>
  readonly doubtful: Set<string>
}

const preparedBy = new WeakMap<object, Prepared>()
/** Statements that return nothing, of which nobody has to ask what they return. */
const bare = /^(?:begin|commit|rollback|savepoint|release)\b/

/** Several statements up to one `Sync`, as pg knows only single ones: it takes the results of each for more of the same. */
export class Batch extends (pg.Query as unknown as new (config: object) => OwnQuery & pg.Submittable) {
  readonly statements: readonly Statement[]
  #new: string[] = []
  #prepared: Prepared = { texts: {}, doubtful: new Set() }
  #isFailed = false

  /** @param callback - of a pool's query, the pool's own */
  constructor(statements: readonly Statement[], callback?: Callback) {
    super({ text: 'batch', values: [], queryMode: 'extended', callback })
    this.statements = statements
  }

  override submit = (connection: pg.Connection): null => {
    const known = preparedBy.get(connection) ?? { texts: Object.create(null), doubtful: new Set<string>() }
    preparedBy.set(connection, known)
    this.#prepared = known
    const messages = new Messages(known.texts)
    for (const { text, values = [], name } of this.statements) {
      if (name !== undefined && known.texts[name] === undefined) {
        this.#new.push(name)
        if (known.doubtful.delete(name)) messages.forget(name)
      }
      this.text = text
      this.values = [...values]
      this.name = name
      messages.isBare = bare.test(text)
      super.prepare(messages)
      // A value that cannot be sent: what would follow is not to be run without it.
      if (this.#isFailed) break
    }
    this.name = undefined
    if (connection.stream.writable) connection.stream.write(messages.all())
    return null
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
