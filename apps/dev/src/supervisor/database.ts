import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { authorityMigrations } from '@behalf/authority'
import { provision } from '@behalf/postgres'
import { startEmbeddedPostgres } from '@behalf/postgres/embedded'
import type { Config } from '../config.ts'

export interface AdministratorDatabase extends AsyncDisposable {
  readonly adminUrl: string
}

/** The administrator's way into the database: a given one, or the embedded one, which is started. */
export async function openDatabase(config: Config, postgresDir: string): Promise<AdministratorDatabase> {
  if (config.databaseUrl !== null) return { adminUrl: config.databaseUrl, [Symbol.asyncDispose]: async () => undefined }
  const postgres = await startEmbeddedPostgres({ dataDir: postgresDir, port: config.postgresPort, persistent: true })
  return { adminUrl: postgres.url, [Symbol.asyncDispose]: () => postgres.close() }
}

/**
 * Brings roles, schemas and tables of all apps and of the gateway's records up to date, with new passwords.
 *
 * @returns the URL of a role, by the name of its app
 */
export async function provisionAll(
  adminUrl: string,
  apps: readonly { readonly name: string; readonly directory: string }[],
): Promise<(role: string) => string> {
  const wanted = [
    { name: 'gateway', schema: 'authority', migrations: authorityMigrations },
    ...apps.map((app) => ({ name: app.name, schema: app.name, migrations: join(app.directory, 'migrations') })),
  ]
  const urls = new Map<string, string>()
  for (const { name, schema, migrations } of wanted) {
    const password = randomBytes(24).toString('base64url')
    await provision({ adminUrl, name, schema, password, migrations })
    const url = new URL(adminUrl)
    url.username = name
    url.password = password
    urls.set(name, url.href)
  }
  return (role) => {
    const url = urls.get(role)
    if (url === undefined) throw new Error(`There is no role "${role}".`)
    return url
  }
}
