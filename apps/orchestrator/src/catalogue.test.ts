import { fileURLToPath } from 'node:url'
import { checkCatalogue } from '@behalf/postgres'
import { testDatabase } from '@behalf/postgres/embedded'
import { expect, test } from 'vitest'

test('every table belongs to somebody; the role reaches nothing else but the queue', async () => {
  await using database = await testDatabase()
  await database.provision('orchestrator', fileURLToPath(new URL('../migrations', import.meta.url)))
  // The queue has a schema of its own, which holds ids only: docs/decisions/0002-run-queue.md.
  expect(await checkCatalogue(database.url, { schema: 'orchestrator', role: 'orchestrator' })).toEqual([
    expect.stringContaining('may use schema orchestrator_queue'),
  ])
})
