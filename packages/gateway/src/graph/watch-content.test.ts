import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { watchContent } from './watch-content.ts'

let folder: string
let path: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'behalf-watch-'))
  path = join(folder, 'graph.json')
})
afterEach(() => rmSync(folder, { recursive: true }))

it('tells nobody of a file before its writer is done', async () => {
  let told = 0
  const pauses: (() => void)[] = []
  const end = watchContent(path, {
    known: 'none',
    changed: () => told++,
    pause: () => new Promise((resolve) => pauses.push(resolve)),
  })
  for (const written of ['{ "half', '{ "half": "and more', '{ "half": "and more of it" }']) {
    writeFileSync(path, written)
    // Either it waits whether there is more to come, or it was told.
    await expect.poll(() => pauses.length + told, { timeout: 20_000, interval: 1 }).toBe(1)
    expect(told).toBe(0)
    // Nobody writes any more after the last.
    if (written.endsWith('}')) break
    writeFileSync(path, `${written},`)
    pauses.shift()?.()
  }
  pauses.shift()?.()
  await expect.poll(() => told, { timeout: 20_000, interval: 1 }).toBe(1)
  end()
  expect(pauses).toEqual([])
})
