import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { requirements } from './requirements.ts'

const root = join(import.meta.dirname, '..')

/** Promises by the files whose test titles cite them. */
function citations(): Map<string, string[]> {
  const cited = new Map<string, string[]>()
  for (const file of globSync('{apps,packages,test}/**/*.test.ts', { cwd: root, exclude: ['**/node_modules/**'] })) {
    const titles = readFileSync(join(root, file), 'utf8').matchAll(/\b(?:it|describe|test)[^\n]*?\(\s*['"`]([^\n]*)/g)
    for (const [, title = ''] of titles) {
      for (const [, name = ''] of title.matchAll(/\[(P\d+)\]/g)) cited.set(name, [...(cited.get(name) ?? []), file])
    }
  }
  return cited
}

const cited = citations()

it.each(Object.entries(requirements).filter(([, { kept }]) => kept))('%s is kept: a test cites it', (name) => {
  expect(cited.get(name) ?? []).not.toEqual([])
})

it('security.md rests on promises that are made', () => {
  const page = readFileSync(join(root, 'docs/concepts/security.md'), 'utf8')
  const named = Array.from(page.matchAll(/\[(P\d+(?:, P\d+)*)\]/g), ([, names = '']) => names.split(', ')).flat()
  expect(new Set(named).size).toBeGreaterThan(10)
  expect(named.filter((name) => !Object.hasOwn(requirements, name))).toEqual([])
})

it('no test cites a promise that is not made', () => {
  expect([...cited.keys()].filter((name) => !Object.hasOwn(requirements, name))).toEqual([])
})
