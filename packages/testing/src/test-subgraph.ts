import { deriveContextKeys } from '@behalf/identity'
import { type CatalogueOptions, checkCatalogue } from '@behalf/postgres'
import { testDatabase } from '@behalf/postgres/embedded'
import type { Subgraph } from '@behalf/subgraph'
import { Kysely, PostgresDialect } from 'kysely'
import { randomBytes } from 'node:crypto'
import { resolve } from 'node:path'
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
  readonly otlpEndpoint: null
}

/** A subgraph as an app has it: `orders` of `src/subgraph.ts`. */
export type CreateSubgraph = (config: TestConfig) => Subgraph

export interface TestSubgraphOptions {
  /** Folder of `*.sql` files. Default: `migrations` in the folder that the tests run in. */
  readonly migrations?: string | URL
  /** What its database may have besides tables with owners: see `checkCatalogue`. */
  readonly allow?: Pick<CatalogueOptions, 'allow' | 'allowSchemas'>
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
  /** Its own, and those that are beside it. */
  readonly schemas: readonly string[]
  /** Of `POST /graphql`. */
  readonly url: string
  /** What the gateway has, and nobody else. */
  readonly rootKey: string
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

const trustDomain = 'behalf.test'
const newRootKey = () => randomBytes(32).toString('base64url')

/** The subgraph as it would be, without starting it: its name and its schema. */
export function describeSubgraph(create: CreateSubgraph): Pick<Subgraph, 'name' | 'schema'> {
  return create(configOf('postgres://nobody@127.0.0.1:1/nothing', deriveContextKeys(newRootKey(), 'nobody', [1])))
}

const configOf = (databaseUrl: string, contextKeys: string): TestConfig => ({
  port: 0,
  host: '127.0.0.1',
  databaseUrl,
  contextKeys,
  trustDomain,
  logLevel: 'silent',
  otlpEndpoint: null,
})

/**
 * Starts a subgraph as it is, on an empty PostgreSQL database of its own and with keys made for this test:
 * `await using app = await testSubgraph(orders)`.
 */
export async function testSubgraph<Tables = unknown>(
  create: CreateSubgraph,
  { migrations = 'migrations', allow, beside = [] }: TestSubgraphOptions = {},
): Promise<TestSubgraph<Tables>> {
  await using started = new AsyncDisposableStack()
  const { name } = describeSubgraph(create)
  const database = started.use(await testDatabase())
  for (const other of beside) await database.provision(other.name, pathOf(other.migrations), other.schema)
  const databaseUrl = await database.provision(name, pathOf(migrations))

  const pool = new pg.Pool({ connectionString: database.url, max: 2, options: `-c search_path=${name}` })
  // The server goes away right after: what its last word does to an idle connection is of no interest.
  pool.on('error', () => undefined)
  const admin = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) })
  started.defer(() => admin.destroy())

  const rootKey = newRootKey()
  const listening = await create(configOf(databaseUrl, deriveContextKeys(rootKey, name, [1]))).listen({ port: 0 })
  started.defer(() => listening.close())

  const shared = beside.map((other) => other.schema ?? other.name)
  const caller = (user: string | null, claims: TestClaims) =>
    createTestCaller({ url: listening.url, receiver: name, rootKey, trustDomain, name: user, claims })
  const running = started.move()
  const close = () => running.disposeAsync()
  return {
    name,
    schemas: [name, ...shared],
    url: listening.url,
    rootKey,
    admin,
    violations: () => checkCatalogue(database.url, { ...allow, schema: name, role: name, shared }),
    as: (user, claims = {}) => caller(user, claims),
    anonymous: () => caller(null, {}),
    close,
    [Symbol.asyncDispose]: close,
  }
}

const pathOf = (folder: string | URL) => (folder instanceof URL ? fileURLToPath(folder) : resolve(folder))
