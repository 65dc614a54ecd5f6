import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { mkdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { postgres } from '@behalf/postgres'
import { createSubgraph, type Resolvers } from '@behalf/subgraph'
import { testSubgraph, type TestSubgraph } from '@behalf/testing'
import { root } from './system.ts'

/** Any table. */
export type Tables = Record<string, Record<string, string>>

/** What guides leave out of their schemas. */
export const links = `extend schema
  @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@external", "@requires", "@authenticated", "@requiresScopes"])
  @link(url: "https://behalf.dev/identity/v0.1", import: ["@owner", "@owned", "@public", "@subject"])
`

type Change = Readonly<Partial<Record<'sql' | 'ts', (text: string) => string>>>

let written = 0

/** What a guide shows: its schema, its migration, and what its code exports. */
export async function readGuide(guide: string, change: Change = {}) {
  const markdown = await readFile(join(root, `docs/guides/${guide}.md`), 'utf8')
  const shown = (language: string) => {
    const [, text] = new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, 'ms').exec(markdown) ?? []
    if (text === undefined) throw new Error(`The guide shows no ${language}.`)
    return text
  }
  const changed = (language: 'sql' | 'ts') => {
    const [text, by] = [shown(language), change[language]]
    const result = by?.(text) ?? text
    if (by && result === text) throw new Error(`The guide's ${language} has nothing to change.`)
    return result
  }
  const reports = join(import.meta.dirname, '../.reports')
  mkdirSync(reports, { recursive: true })
  const code = join(reports, `${guide}-${++written}.ts`)
  await writeFile(code, changed('ts'))
  try {
    const exported = (await import(/* @vite-ignore */ code)) as Record<string, unknown>
    return { schema: links + shown('graphql'), migration: changed('sql'), exported }
  } finally {
    await rm(code, { force: true })
  }
}

/** A subgraph of nothing but what a guide shows: its schema, its migration and its resolvers. */
export async function fromGuide(guide: string, change: Change = {}): Promise<TestSubgraph<Tables>> {
  const { schema, migration, exported } = await readGuide(guide, change)
  const folder = await mkdtemp(join(tmpdir(), 'behalf-guide-'))
  try {
    await writeFile(join(folder, '001.sql'), migration)
    return await testSubgraph<Tables>(
      ({ databaseUrl, ...config }) =>
        createSubgraph<Tables>({
          ...config,
          name: 'guide',
          typeDefs: schema,
          resolvers: exported['resolvers'] as Resolvers<Tables>,
          db: postgres<Tables>(databaseUrl),
        }),
      { migrations: folder },
    )
  } finally {
    await rm(folder, { recursive: true })
  }
}
