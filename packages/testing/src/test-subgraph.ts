import { deriveContextKeys } from '@behalf/identity'
import { checkCatalogue } from '@behalf/postgres'
import { testDatabase } from '@behalf/postgres/embedded'
import type { Subgraph } from '@behalf/subgraph'
import { Kysely, PostgresDialect } from 'kysely'
import { randomBytes } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { createTestCaller, type TestCaller } from './test-caller.ts'
import type { TestClaims } from './test-principal.ts'

/** What an app's `readConfig` would give. */
export interface TestConfig {
  readonly port: number
  readonly host: string
  /** Of the subgraph's own role. */
  readonly databaseUrl: string
  readonly contextKeys: string
  readonly trustDomain: string
  readonly logLevel: 'silent'
}

export interface TestSubgraphOptions {
  /** Of the subgraph, its role and its schema. */
  readonly name: string
  readonly create: (config: TestConfig) => Subgraph
  /** Folder of `*.sql` files: `new URL('../migrations', import.meta.url)`. */
  readonly migrations: string | URL
  /** Schemas that are there before, and show this subgraph some of their rows. */
  readonly beside?: readonly OtherSchema[]
}

/** A schema of another process. */
export interface OtherSchema {
  /** Of its role. */
  readonly name: string
  /** Where its name is not the role's. */
  readonly schema?: string
  readonly migrations: string | URL
}

export interface TestSubgraph<Tables> extends AsyncDisposable {
  readonly name: string
  /** Of `POST /graphql`. */
  readonly url: string
  /** The administrator, whom no row-level security holds: for fixtures, and to see what is really there. */
  readonly admin: Kysely<Tables>
  /** What in the database would be a way around row-level security, a sentence each; see `checkCatalogue`. */
  violations(): Promise<string[]>
  /** A human: `ada` is the subject `usr_ada`. */
  as(name: string, claims?: TestClaims): TestCaller
  /** A caller without a credential. */
  anonymous(): TestCaller
  close(): Promise<void>
}

/**
 * Starts a subgraph as it is, on an empty PostgreSQL database of its own and with keys made for this test:
 * `await using app = await testSubgraph({ name: 'orders', create: orders, migrations })`.
 */
export async function testSubgraph<Tables = unknown>(options: TestSubgraphOptions): Promise<TestSubgraph<Tables>> {
  const { name, create, migrations, beside = [] } = options
  await using started = new AsyncDisposableStack()
  const database = started.use(await testDatabase())
  for (const other of beside) await database.provision(other.name, pathOf(other.migrations), other.schema)
  const databaseUrl = await database.provision(name, pathOf(migrations))

  const pool = new pg.Pool({ connectionString: database.url, max: 2, options: `-c search_path=${name}` })
  // The server goes away right after: what its last word does to an idle connection is of no interest.
  pool.on('error', () => undefined)
  const admin = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) })
  started.defer(() => admin.destroy())

  const rootKey = randomBytes(32).toString('base64url')
  const trustDomain = 'behalf.test'
  const contextKeys = deriveContextKeys(rootKey, name, [1])
  const listening = await create({
    port: 0,
    host: '127.0.0.1',
    databaseUrl,
    contextKeys,
    trustDomain,
    logLevel: 'silent',
  }).listen({ port: 0 })
  started.defer(() => listening.close())

  const shared = beside.map((other) => other.schema ?? other.name)
  const caller = (user: string | null, claims: TestClaims) =>
    createTestCaller({ url: listening.url, receiver: name, rootKey, trustDomain, name: user, claims })
  const running = started.move()
  const close = () => running.disposeAsync()
  return {
    name,
    url: listening.url,
    admin,
    violations: () => checkCatalogue(database.url, { schema: name, role: name, shared }),
    as: (user, claims = {}) => caller(user, claims),
    anonymous: () => caller(null, {}),
    close,
    [Symbol.asyncDispose]: close,
  }
}

const pathOf = (folder: string | URL) => (folder instanceof URL ? fileURLToPath(folder) : folder)
