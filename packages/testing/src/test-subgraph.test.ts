import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { afterAll, expect, it } from 'vitest'
import { createNotes, noteMigrations, type NoteTables } from './fixtures/notes.ts'
import { testSubgraph } from './index.ts'

const migrations = noteMigrations()
afterAll(() => rm(migrations, { recursive: true }))

it('runs a subgraph for callers of every kind, on a database of its own', async () => {
  await using app = await testSubgraph<NoteTables>(createNotes(), { migrations })
  await app.admin
    .insertInto('note')
    .values([
      { id: 'n1', owner: 'usr_ada', text: 'mine', made: new Date() },
      { id: 'n2', owner: 'usr_ben', text: 'theirs', made: new Date() },
    ])
    .execute()

  const ada = app.as('ada', { scopes: ['notes:read', 'notes:write'], facts: { tier: 'premium' } })
  expect(ada.subject).toBe('usr_ada')
  expect(await ada.run('{ notes { id } tier }')).toEqual({
    status: 200,
    data: { notes: [{ id: 'n1' }], tier: 'premium' },
    errors: [],
  })
  expect(await app.as('ada').run('{ notes { id } tier }')).toMatchObject({
    data: { notes: null, tier: null },
    errors: [{ path: ['notes'], extensions: { code: 'UNAUTHORIZED_FIELD_OR_TYPE' } }],
  })
  expect(await app.anonymous().run('{ notes { id } }')).toMatchObject({
    errors: [{ extensions: { code: 'UNAUTHENTICATED' } }],
  })

  const write = ['mutation($id: ID!) { setNote(id: $id, text: "new") { text } }', { id: 'n1' }] as const
  const agent = ada.agent({ tool: 'set_note' })
  expect(await agent.run(...write)).toMatchObject({
    data: { setNote: null },
    errors: [{ extensions: { code: 'APPROVAL_REQUIRED' } }],
  })
  expect(await agent.approved('tidy').run(...write)).toMatchObject({
    errors: [{ extensions: { code: 'APPROVAL_REQUIRED' } }],
  })
  expect(await agent.approved('setNote').run(...write)).toMatchObject({
    data: { setNote: { text: 'new' } },
    errors: [],
  })
  expect(await app.admin.selectFrom('note').select('text').where('id', '=', 'n1').execute()).toEqual([{ text: 'new' }])
})

it('says what would be a way around row-level security', async () => {
  await using app = await testSubgraph<NoteTables>(createNotes(), { migrations })
  expect(await app.violations()).toEqual([])
  await sql`create table draft (id text primary key)`.execute(app.admin)
  expect((await app.violations()).join()).toContain('notes.draft')
})

it('has schemas of others beside it, and says where they show it too much', async () => {
  const others = await mkdtemp(join(tmpdir(), 'behalf-others-'))
  const tables = "create table shown (id text); select behalf.own('shown', 'id'); create table hidden (id text)"
  await writeFile(join(others, '001.sql'), tables)
  const own = await mkdtemp(join(tmpdir(), 'behalf-notes-'))
  await cp(migrations, own, { recursive: true })
  await writeFile(join(own, '002.sql'), 'grant usage on schema trust to notes; grant select on trust.shown to notes')
  const beside = [{ name: 'truster', schema: 'trust', migrations: others }]
  await using app = await testSubgraph<NoteTables>(createNotes(), { migrations: own, beside })
  expect(await app.violations()).toEqual([])
  await sql`grant select on trust.hidden to notes`.execute(app.admin)
  expect(await app.violations()).toEqual([expect.stringContaining('trust.hidden')])
  await Promise.all([others, own].map((folder) => rm(folder, { recursive: true })))
})
