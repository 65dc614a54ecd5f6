import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { closedFolder } from './passage.ts'

test.runIf(process.platform !== 'win32')('a private folder on the way is named', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'behalf-passage-'))
  expect(await closedFolder(join(folder, 'data', 'postgres'))).toBe(folder)
  await chmod(folder, 0o711)
  expect(await closedFolder(join(folder, 'data', 'postgres'))).toBeNull()
  await rm(folder, { recursive: true })
})
