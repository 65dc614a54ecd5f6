import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { authoritySchema } from '@behalf/authority'
import { provision } from '@behalf/postgres'
import { startEmbeddedPostgres } from '@behalf/postgres/embedded'
import pg from 'pg'
import type { Config } from '../config.ts'
import { Failure } from './failure.ts'

export interface AdministratorDatabase extends AsyncDisposable {
  readonly adminUrl: string
  /** Resolves if the embedded PostgreSQL ends by itself, and never for a given one, which may come back. */
  readonly lost: Promise<Failure>
}

/**
 * The administrator's way into the database: a given one, or the embedded one, which is started.
 *
 * @throws Failure
 */
export async function openDatabase(config: Config, dataDir: string): Promise<AdministratorDatabase> {
  const given = config.databaseUrl
  if (given !== null) {
    await withReason('The database of DATABASE_URL cannot be used', () => requireAdministrator(given))
    return {
      adminUrl: given,
      lost: new Promise(() => undefined),
      [Symbol.asyncDispose]: async () => undefined,
    }
  }
  const advice = `It holds development data only: delete ${dataDir}, and the next start makes it anew.`
  return withReason(
    'PostgreSQL cannot be started',
    async () => {
      const postgres = await startEmbeddedPostgres({ dataDir, port: config.postgresPort, persistent: true })
      // A connection that is held for nothing but to see it end, at once and with everything else of the server's.
      const watch = new pg.Client({ connectionString: postgres.url })
      const lost = new Promise<Failure>((resolve) => {
        watch.on('error', ({ message }) => resolve(new Failure(`PostgreSQL ended: ${message}.`)))
      })
      await watch.connect()
      return {
        adminUrl: postgres.url,
        lost,
        async [Symbol.asyncDispose]() {
          await watch.end()
          await postgres.close()
        },
      }
    },
    advice,
  )
}

/** Roles and schemas are made with this URL; that it may not make them is better said at once. */
async function requireAdministrator(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000 })
  try {
    await client.connect()
    const { rows } = await client.query<{ roles: boolean; schemas: boolean }>(
      `select rolsuper or rolcreaterole as roles, has_database_privilege(current_database(), 'create') as schemas
       from pg_roles where rolname = current_user`,
    )
    if (!rows[0]?.roles) throw new Error('its user may not make roles (CREATEROLE).')
    if (!rows[0].schemas) throw new Error('its user may not make schemas in it (GRANT CREATE ON DATABASE).')
  } finally {
    await client.end().catch(() => undefined)
  }
}

export interface Databases {
  /** URL of a role, by the name of its app. */
  urlOf(role: string): string
  /**
   * Brings role, schema and tables of an app up to date. Whoever is connected stays so.
   *
   * @throws Failure
   */
  migrate(name: string): Promise<void>
  /**
   * Migrates all of them, one after the other, the gateway's records first.
   *
   * @param migrated - is told each app that is ready
   * @throws Failure
   */
  migrateAll(migrated: (name: string) => void): Promise<void>
}

/** The parts of the database that apps and the gateway have, each with a role that has a new password. */
export function createDatabases(
  adminUrl: string,
  apps: readonly { readonly name: string; readonly directory: string }[],
): Databases {
  const wanted = [
    authoritySchema,
    ...apps.map((app) => ({ name: app.name, schema: app.name, migrations: join(app.directory, 'migrations') })),
  ].map((each) => [each.name, { ...each, adminUrl, password: randomBytes(24).toString('base64url') }] as const)
  const roles = new Map(wanted)
  const roleOf = (name: string) => {
    const role = roles.get(name)
    if (role === undefined) throw new Error(`There is no role "${name}".`)
    return role
  }
  const migrate = (name: string) =>
    withReason(`The database cannot be made ready for ${name}`, () => provision(roleOf(name)))
  return {
    migrate,
    async migrateAll(migrated) {
      await migrate('gateway')
      for (const { name } of apps) {
        await migrate(name)
        migrated(name)
      }
    },
    urlOf(name) {
      const url = new URL(adminUrl)
      url.username = name
      url.password = roleOf(name).password
      return url.href
    },
  }
}

/** What a database says is for the person who set it up: without a stack. */
async function withReason<T>(what: string, work: () => Promise<T>, advice?: string): Promise<T> {
  try {
    return await work()
  } catch (error) {
    // A host with two addresses that both refuse is an AggregateError, whose own message is empty.
    const cause = error instanceof AggregateError ? error.errors[0] : error
    const reason = cause instanceof Error ? cause.message.trimEnd() : String(cause)
    throw new Failure([`${what}: ${reason}`, ...(advice === undefined ? [] : [advice])].join('\n'), { cause: error })
  }
}
