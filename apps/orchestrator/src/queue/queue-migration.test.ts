import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { queueMigration } from './queue-migration.ts'

// Goes red when the library is updated and brings migrations that are not in the file: add them in a file of their own.
test('migrations/002-queue.sql is what the library needs', async () => {
  expect(await readFile(new URL('../../migrations/002-queue.sql', import.meta.url), 'utf8')).toBe(
    await queueMigration(),
  )
})
