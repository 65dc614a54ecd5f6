import { createHmac, randomBytes } from 'node:crypto'
import pg from 'pg'
import { provision } from './provision.ts'
import { startEmbeddedPostgres } from './start-embedded-postgres.ts'

export interface TestDatabase extends AsyncDisposable {
  /** Of the administrator. */
  readonly url: string
  /** Provisions an app as `provision` does; answers the url of its role. */
  provision(name: string, migrations: string, schema?: string): Promise<string>
  close(): Promise<void>
}

/**
 * An empty database for one test file: a new one on the server of `DATABASE_URL` (an administrator's) if that is
 * set, else an embedded PostgreSQL of its own. Removed on close.
 */
// oxlint-disable-next-line node/no-process-env -- of the tests alone, which have no config.ts
export async function testDatabase(serverUrl: string | undefined = process.env['DATABASE_URL']): Promise<TestDatabase> {
  if (serverUrl === undefined || serverUrl === '') {
    const embedded = await startEmbeddedPostgres()
    return withProvision(embedded.url, () => embedded.close())
  }
  const name = `behalf_test_${randomBytes(8).toString('hex')}`
  await asAdmin(serverUrl, `create database ${name}`)
  const url = new URL(serverUrl)
  url.pathname = `/${name}`
  return withProvision(url.href, () => asAdmin(serverUrl, `drop database ${name} with (force)`))
}

function withProvision(url: string, close: () => Promise<void>): TestDatabase {
  return {
    url,
    async provision(name, migrations, schema = name) {
      // Roles are shared by all databases of a server, where other tests may run: all agree on the password.
      const password = createHmac('sha256', new URL(url).password).update(name).digest('base64url')
      await provision({ adminUrl: url, name, schema, password, migrations })
      const own = new URL(url)
      own.username = name
      own.password = password
      return own.href
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

async function asAdmin(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}
