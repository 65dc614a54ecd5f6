import { fileURLToPath } from 'node:url'
import { checkCatalogue } from '@behalf/postgres'
import { testDatabase } from '@behalf/postgres/embedded'
import { expect, test } from 'vitest'

test('every table belongs to somebody; the role reaches nothing else but the queue', async () => {
  await using database = await testDatabase()
  await database.provision('orchestrator', fileURLToPath(new URL('../migrations', import.meta.url)))
  // The queue has a schema of its own, which holds ids only: docs/decisions/0002-run-queue.md.
  const catalogue = { schema: 'orchestrator', role: 'orchestrator' }
  expect(await checkCatalogue(database.url, catalogue)).toEqual([expect.stringContaining('orchestrator_queue')])
  expect(await checkCatalogue(database.url, { ...catalogue, allowSchemas: ['orchestrator_queue'] })).toEqual([])
})
