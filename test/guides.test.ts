import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { postgres } from '@behalf/postgres'
import { createSubgraph, type Resolvers } from '@behalf/subgraph'
import { type TestAnswer, type TestCaller, testSubgraph, type TestSubgraph } from '@behalf/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { root } from './support/system.ts'

/** Any table. */
type Tables = Record<string, Record<string, string>>

const links = `extend schema
  @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@requiresScopes"])
  @link(url: "https://behalf.dev/identity/v0.1", import: ["@owner", "@subject"])
`

/** A subgraph of nothing but what a guide shows: its schema, its migration and its resolvers. */
async function fromGuide(guide: string): Promise<TestSubgraph<Tables>> {
  const markdown = await readFile(join(root, `docs/guides/${guide}.md`), 'utf8')
  const shown = (language: string) => {
    const [, text] = new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, 'ms').exec(markdown) ?? []
    if (text === undefined) throw new Error(`The guide shows no ${language}.`)
    return text
  }
  const folder = mkdtempSync(join(tmpdir(), 'behalf-guide-'))
  const code = join(import.meta.dirname, '.reports', `${guide}.ts`)
  try {
    await writeFile(join(folder, '001.sql'), shown('sql'))
    await mkdir(join(import.meta.dirname, '.reports'), { recursive: true })
    await writeFile(code, shown('ts'))
    const { resolvers } = (await import(/* @vite-ignore */ code)) as { resolvers: Resolvers<Tables> }
    return await testSubgraph<Tables>(
      ({ databaseUrl, ...config }) =>
        createSubgraph<Tables>({
          ...config,
          name: 'guide',
          typeDefs: links + shown('graphql'),
          resolvers,
          db: postgres<Tables>(databaseUrl),
        }),
      { migrations: folder },
    )
  } finally {
    await rm(folder, { recursive: true })
    await rm(code, { force: true })
  }
}

const seen = ({ data, errors }: TestAnswer) => [data, ...errors.map(({ extensions }) => extensions.code)]

describe('[P7] docs/guides/support-access.md', () => {
  let app: TestSubgraph<Tables>
  beforeAll(async () => {
    app = await fromGuide('support-access')
    await app.admin
      .insertInto('users')
      .values([
        { id: 'usr_ada', tenant: 'acme', name: 'Ada', note: 'n' },
        { id: 'usr_sam', tenant: 'acme', name: 'Sam', note: 'n' },
      ])
      .execute()
  })
  afterAll(() => app.close())
  const user = (caller: TestCaller, id = 'usr_ada') =>
    caller.run('query ($id: ID!) { user(id: $id) { name note } }', { id }).then(seen)
  const entity = (caller: TestCaller) =>
    caller
      .run('{ _entities(representations: [{ __typename: "User", id: "usr_ada" }]) { ... on User { name } } }')
      .then(seen)
  const denied = 'UNAUTHORIZED_FIELD_OR_TYPE'
  const support = (tenant: string) => app.as('sam', { tenant, scopes: ['users:read'] })

  it('has no way around row-level security', async () => {
    expect(await app.violations()).toEqual([])
  })

  it('comes to what it says', async () => {
    expect(await user(support('acme'))).toEqual([{ user: { name: 'Ada', note: null } }, denied])
    expect(await user(support('globex'))).toEqual([{ user: null }])
    expect(await user(support('acme').agent({ tool: 'look_up' }))).toEqual([{ user: null }, denied])
    expect(await user(app.as('ben', { scopes: ['users:write'] }))).toEqual([{ user: null }, denied])
    expect(await user(support('acme'), 'usr_sam')).toEqual([{ user: { name: 'Sam', note: null } }, denied])
  })

  it('holds for entities, too', async () => {
    expect(await entity(support('acme'))).toEqual([{ _entities: [{ name: 'Ada' }] }])
    expect(await entity(app.as('ada'))).toEqual([{ _entities: [{ name: 'Ada' }] }])
    for (const other of [support('globex'), support('acme').agent({ tool: 'look_up' }), app.as('ben'), app.anonymous()])
      expect(await entity(other)).toEqual([{ _entities: [null] }])
  })
})

describe('[P7] docs/guides/tenancy.md', () => {
  let app: TestSubgraph<Tables>
  beforeAll(async () => {
    app = await fromGuide('tenancy')
    await app.admin
      .insertInto('rooms')
      .values([
        { id: 'a', made_by: 'usr_ada', org: 'acme', title: 'A' },
        { id: 'b', made_by: 'usr_ben', org: 'acme', title: 'B' },
        { id: 'g', made_by: 'usr_chloe', org: 'globex', title: 'G' },
      ])
      .execute()
  })
  afterAll(() => app.close())
  const query = '{ rooms { id } acme: rooms(of: "acme") { id } room(id: "b") { title } }'
  const scopes = ['rooms:read']
  const denied = 'UNAUTHORIZED_FIELD_OR_TYPE'

  it('has no way around row-level security', async () => {
    expect(await app.violations()).toEqual([])
  })

  it('comes to what it says', async () => {
    const acme = [{ id: 'a' }, { id: 'b' }]
    const ada = app.as('ada', { scopes })
    expect(seen(await ada.run(query))).toEqual([{ rooms: acme, acme, room: { title: 'B' } }])
    expect(seen(await ada.agent({ tool: 'rooms' }).run(query))).toEqual([
      { rooms: [{ id: 'a' }], acme: [{ id: 'a' }], room: null },
    ])
    expect(seen(await app.as('chloe', { tenant: 'globex', scopes }).run(query))).toEqual([
      { rooms: [{ id: 'g' }], acme: null, room: null },
      denied,
    ])
    const nobody = 'UNAUTHENTICATED'
    expect(seen(await app.anonymous().run(query))).toEqual([
      { rooms: null, acme: null, room: null },
      nobody,
      nobody,
      nobody,
    ])
  })
})
