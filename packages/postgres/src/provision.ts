import { fileURLToPath } from 'node:url'
import { Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import { migrate } from './sql-migrations.ts'

const library = fileURLToPath(new URL('../migrations', import.meta.url))
/** Whoever provisions the same database waits for the one before. */
const lockKey = '7090757163870511721'

export interface ProvisionOptions {
  /** A role that may create roles and schemas and owns what the migrations make. */
  readonly adminUrl: string
  /** Of the app, its role and its schema: `/^[a-z][a-z0-9_]*$/`, at most 40 characters. */
  readonly name: string
  /** Where the schema's name is not the role's. */
  readonly schema?: string
  /** For the role to log in with. */
  readonly password: string
  /** Folder of `*.sql` files; they run with the schema as their search path. */
  readonly migrations: string
}

/**
 * Makes an app's role and schema, brings the behalf library and the app's own tables up to date, and grants the role
 * its schema and nothing else. May be run again, and by several processes at once.
 *
 * The role is granted all four kinds of access to tables when they are made, so that a migration may revoke some.
 *
 * @throws if a name is not acceptable, the role exists with more power than an app may have, or a migration fails
 */
export async function provision(options: ProvisionOptions): Promise<void> {
  const { adminUrl, name, schema = name, password, migrations } = options
  requireName(name)
  requireName(schema)
  const admin = new pg.Client({ connectionString: adminUrl })
  // What is lost fails the query that waits for it, or the next one.
  admin.on('error', () => undefined)
  await admin.connect()
  try {
    await admin.query('select pg_advisory_lock($1)', [lockKey])
    await createRole(admin, name, password)
    await admin.query('create schema if not exists behalf')
    await withDatabase(adminUrl, 'behalf', (db) => migrate(db, 'behalf', library))
    await createSchema(admin, schema, name)
    await withDatabase(adminUrl, schema, (db) => migrate(db, schema, migrations))
  } finally {
    await admin.end()
  }
}

function requireName(name: string): void {
  if (!/^[a-z][a-z0-9_]{0,39}$/.test(name) || reserved.test(name)) {
    throw new Error(`"${name}" cannot name an app: use a to z, 0 to 9 and _, and not a name of PostgreSQL's or ours.`)
  }
}

const reserved = /^(pg_|behalf$|public$|postgres$|information_schema$)/

async function createRole(admin: pg.Client, name: string, password: string): Promise<void> {
  const role = pg.escapeIdentifier(name)
  const attributes = `login noinherit password ${pg.escapeLiteral(password)}`
  await retryConcurrentUpdate(async () => {
    const { rows } = await admin.query<{ strong: boolean }>(
      `select rolsuper or rolbypassrls or rolcreaterole or rolcreatedb or rolreplication as strong
       from pg_roles where rolname = $1`,
      [name],
    )
    if (rows[0]?.strong) {
      throw new Error(`Role "${name}" exists and may do more than an app may: drop it, or take its attributes away.`)
    }
    const verb = rows[0] ? 'alter' : 'create'
    await admin.query(`${verb} role ${role} ${attributes}`)
  })
}

/** Roles belong to the whole cluster and advisory locks to one database, so another one may be at the same role. */
async function retryConcurrentUpdate(work: () => Promise<void>, attempts = 10): Promise<void> {
  try {
    await work()
  } catch (error) {
    const raced = error instanceof pg.DatabaseError && ['XX000', '23505', '42710'].includes(error.code ?? '')
    if (!raced || attempts <= 1) throw error
    await retryConcurrentUpdate(work, attempts - 1)
  }
}

async function createSchema(admin: pg.Client, name: string, owner: string): Promise<void> {
  const role = pg.escapeIdentifier(owner)
  const schema = pg.escapeIdentifier(name)
  const { rows } = await admin.query<{ database: string }>('select current_database() as database')
  const database = pg.escapeIdentifier(rows[0]?.database ?? '')
  await admin.query('begin')
  await admin.query(`create schema if not exists ${schema}`)
  await admin.query(`revoke all on database ${database} from public`)
  await admin.query('revoke all on schema public from public')
  await admin.query(`grant connect on database ${database} to ${role}`)
  await admin.query(`grant usage on schema ${schema} to ${role}`)
  await admin.query(
    `alter default privileges in schema ${schema} grant select, insert, update, delete on tables to ${role}`,
  )
  await admin.query(`alter default privileges in schema ${schema} grant usage on sequences to ${role}`)
  await admin.query(`alter role ${role} in database ${database} set search_path = ${schema}`)
  await admin.query('select behalf.admit($1)', [owner])
  await admin.query('commit')
}

async function withDatabase(url: string, schema: string, work: (db: Kysely<unknown>) => Promise<void>): Promise<void> {
  const pool = new pg.Pool({
    connectionString: url,
    max: 1,
    options: `-c search_path=${schema} -c client_min_messages=warning`,
  })
  pool.on('error', () => undefined)
  const db = new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) })
  try {
    await work(db)
  } finally {
    await db.destroy()
  }
}
