import { createHmac, randomBytes } from 'node:crypto'
import pg from 'pg'
import { provision } from './provision.ts'
import { startEmbeddedPostgres, type EmbeddedPostgres } from './start-embedded-postgres.ts'

export interface TestDatabase extends AsyncDisposable {
  /** Of the administrator. */
  readonly url: string
  /** Provisions an app as `provision` does; answers the url of its role. */
  provision(name: string, migrations: string, schema?: string): Promise<string>
  close(): Promise<void>
}

/** The server of this process, which goes when the process does: a new one for each file takes seconds. */
let embedded: Promise<EmbeddedPostgres> | undefined

/**
 * An empty database for one test file, on the server of `DATABASE_URL` (an administrator's) if that is set, else on an
 * embedded PostgreSQL. Removed on close.
 */
// oxlint-disable-next-line node/no-process-env -- of the tests alone, which have no config.ts
export async function testDatabase(serverUrl: string | undefined = process.env['DATABASE_URL']): Promise<TestDatabase> {
  const server = serverUrl || (await (embedded ??= startEmbeddedPostgres())).url
  const name = `behalf_test_${randomBytes(8).toString('hex')}`
  await asAdmin(server, `create database ${name}`)
  const url = new URL(server)
  url.pathname = `/${name}`
  return withProvision(url.href, () => asAdmin(server, `drop database ${name} with (force)`))
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
