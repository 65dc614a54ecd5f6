import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sql, type Kysely } from 'kysely'
import { Migrator, type Migration, type MigrationProvider } from 'kysely/migration'

/**
 * Applies the `*.sql` files of `folder` that were not applied yet, in the order of their names, each in a
 * transaction of its own. What was applied is kept in `behalf.migration_<name>`.
 *
 * @throws the error of the first file that fails, with the file's name; files before it stay applied
 */
export async function migrate(db: Kysely<unknown>, name: string, folder: string): Promise<void> {
  const provider = sqlFiles(folder)
  const migrator = new Migrator({
    db,
    provider,
    migrationTableSchema: 'behalf',
    migrationTableName: `migration_${name}`,
    migrationLockTableName: `migration_lock_${name}`,
  })
  for (;;) {
    const { error, results } = await migrator.migrateUp()
    if (error !== undefined) {
      const failed = results?.find((result) => result.status === 'Error')?.migrationName
      const reason = error instanceof Error ? error.message : 'for no reason that was given'
      const file = failed ? join(folder, `${failed}.sql`) : folder
      throw new Error(`Migration ${file}${failed ? await lineOf(error, file) : ''} failed: ${reason}`, { cause: error })
    }
    if (results === undefined || results.length === 0) return
  }
}

/** `:12` where PostgreSQL says at which character of the file it stopped. */
async function lineOf(error: unknown, file: string): Promise<string> {
  const position = typeof error === 'object' && error !== null && 'position' in error ? Number(error.position) : NaN
  if (!Number.isSafeInteger(position)) return ''
  // Counted in characters, not in UTF-16 code units.
  const before = Array.from(await readFile(file, 'utf8')).slice(0, position - 1)
  return `:${before.filter((character) => character === '\n').length + 1}`
}

function sqlFiles(folder: string): MigrationProvider {
  return {
    async getMigrations() {
      const files = (await readdir(folder)).filter((file) => file.endsWith('.sql'))
      const migrations: Record<string, Migration> = {}
      for (const file of files) {
        const text = await readFile(join(folder, file), 'utf8')
        migrations[file.slice(0, -'.sql'.length)] = { up: async (db) => void (await sql.raw(text).execute(db)) }
      }
      return migrations
    },
  }
}
