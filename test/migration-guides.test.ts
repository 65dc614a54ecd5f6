import { readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { testDatabase } from '@behalf/postgres/embedded'
import { type CreateSubgraph, testIssuer, testSubgraph } from '@behalf/testing'
import { sql } from 'kysely'
import pg from 'pg'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { freePorts } from './support/free-ports.ts'
import { root } from './support/system.ts'

vi.setConfig({ testTimeout: 120_000 })

const guides = ['migrate-a-subgraph', 'from-express-and-apollo-server'] as const
const folderOf = (guide: (typeof guides)[number]) => join(import.meta.dirname, '.reports', guide)

// What a guide shows, in files of the names that it gives them.
for (const guide of guides) {
  const markdown = readFileSync(join(root, `docs/guides/${guide}.md`), 'utf8')
  for (const [, name = '', text = ''] of markdown.matchAll(/^```\w+\n(?:\/\/|--|#) (\S+\.\w+)\n(.*?)^```$/gms)) {
    const file = join(folderOf(guide), name)
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, text)
  }
}
const load = async (guide: (typeof guides)[number], file: string) =>
  (await import(/* @vite-ignore */ join(folderOf(guide), file))) as Record<string, unknown>

/** What the older server of a guide runs on: its tables, and no rules. */
async function olderDatabase(...statements: string[]) {
  const database = await testDatabase()
  const client = new pg.Client({ connectionString: database.url })
  await client.connect()
  for (const statement of statements) await client.query(statement)
  await client.end()
  return database
}

async function ask(url: string, query: string, headers: Record<string, string> = {}) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ query }),
  })
  return (await response.json()) as { data?: unknown; errors?: { extensions: { code: string } }[] }
}

const before = process.cwd()
process.chdir(folderOf('migrate-a-subgraph'))
afterAll(() => process.chdir(before))

describe('docs/guides/migrate-a-subgraph.md', async () => {
  const guide = 'migrate-a-subgraph'
  const { notes } = (await load(guide, 'after.ts')) as { notes: CreateSubgraph }
  await load(guide, 'attack.test.ts')
  const migrations = join(folderOf(guide), 'migrations')

  it('before: whoever asks is whoever they say', async () => {
    const { startBefore } = (await load(guide, 'before.ts')) as {
      startBefore: (url: string, port: number) => Promise<{ url: string; close(): Promise<void> }>
    }
    await using database = await olderDatabase(
      'create table notes (id bigint generated always as identity primary key, user_id text not null, text text not null)',
      "insert into notes (user_id, text) values ('usr_ada', 'of ada'), ('usr_ben', 'of ben')",
    )
    const [port = 0] = await freePorts(1)
    const { url, close } = await startBefore(database.url, port)
    try {
      const asAda = { 'x-user-id': 'usr_ada' }
      expect((await ask(url, '{ notes { text } }', asAda)).data).toEqual({ notes: [{ text: 'of ada' }] })
      expect((await ask(url, '{ notes { text } }', { 'x-user-id': 'usr_ben' })).data).toEqual({
        notes: [{ text: 'of ben' }],
      })
      expect((await ask(url, '{ note(id: "2") { text } }', asAda)).data).toEqual({ note: { text: 'of ben' } })
    } finally {
      await close()
    }
  })

  it('[P1] [P7] after: it is who the gateway vouches for', async () => {
    await using app = await testSubgraph<{ notes: { user_id: string; text: string } }>(notes, { migrations })
    await app.admin
      .insertInto('notes')
      .values(['ada', 'ben'].map((name) => ({ user_id: `usr_${name}`, text: `of ${name}` })))
      .execute()
    const ada = app.as('ada', { scopes: ['notes:read', 'notes:write'] })
    const own = { status: 200, data: { notes: [{ text: 'of ada' }], note: null }, errors: [] }
    expect(await ada.run('{ notes { text } note(id: "2") { text } }')).toEqual(own)
    expect((await ask(app.url, '{ notes { text } }', { 'x-user-id': 'usr_ben' })).errors?.[0]?.extensions.code).toBe(
      'CONTEXT_MISSING',
    )
    const add = 'mutation { addNote(text: "new") { text } }'
    expect(await ada.run(add)).toMatchObject({ data: { addNote: { text: 'new' } }, errors: [] })
    expect((await ada.agent({ tool: 'add' }).run(add)).errors[0]?.extensions.code).toBe('APPROVAL_REQUIRED')
  })

  it('[P7] names the policy that lets the older one in, for as long as it is there', async () => {
    await using app = await testSubgraph(notes, { migrations })
    expect(await app.violations()).toEqual([])
    const markdown = readFileSync(join(root, `docs/guides/${guide}.md`), 'utf8')
    const [policy = ''] = /^create policy legacy .*$/m.exec(markdown) ?? []
    const run = (statement: string) => sql.raw(statement).execute(app.admin)
    await run('create role old_notes')
    try {
      await run(policy)
      expect((await app.violations()).join('\n')).toContain('legacy')
    } finally {
      await run('drop policy if exists legacy on notes')
      await run('drop role old_notes')
    }
  })
})

describe('docs/guides/from-express-and-apollo-server.md', () => {
  const guide = 'from-express-and-apollo-server'
  const audience = 'https://tasks.example'
  const finish = 'mutation { finishTask(id: "t1") { done } }'

  it('before: may finish tasks, and so those of others', async () => {
    const { startBefore } = (await load(guide, 'before.ts')) as {
      startBefore: (config: object) => Promise<{ close(): Promise<void> }>
    }
    await using issuer = await testIssuer({ audience, claims: { scope: 'tasks:read tasks:write' } })
    await using database = await olderDatabase(
      'create table users (id text primary key, email text not null)',
      'create table tasks (id text primary key, user_id text not null, title text not null, done boolean not null default false)',
      "insert into users values ('usr_ada', 'ada@example.org'), ('usr_ben', 'ben@example.org')",
      "insert into tasks values ('t1', 'usr_ada', 'water the plants')",
    )
    const [port = 0] = await freePorts(1)
    const { close } = await startBefore({ databaseUrl: database.url, issuer: issuer.issuer, audience, port })
    try {
      const as = async (sub: string) => ({ authorization: `Bearer ${await issuer.mint({ claims: { sub } })}` })
      const url = `http://127.0.0.1:${port}/graphql`
      expect((await ask(url, '{ me { email tasks { title } } }', await as('ada'))).data).toEqual({
        me: { email: 'ada@example.org', tasks: [{ title: 'water the plants' }] },
      })
      expect((await ask(url, finish)).errors).toHaveLength(1)
      expect((await ask(url, finish, await as('ben'))).data).toEqual({ finishTask: { done: true } })
    } finally {
      await close()
    }
  })

  it('[P7] after: only their own', async () => {
    const { tasks } = (await load(guide, 'after.ts')) as { tasks: CreateSubgraph }
    const migrations = join(folderOf(guide), 'migrations')
    await using app = await testSubgraph<{
      users: { id: string; email: string }
      tasks: { id: string; user_id: string; title: string }
    }>(tasks, { migrations })
    await app.admin.insertInto('users').values({ id: 'usr_ada', email: 'ada@example.org' }).execute()
    await app.admin.insertInto('tasks').values({ id: 't1', user_id: 'usr_ada', title: 'water the plants' }).execute()
    const scopes = ['tasks:read', 'tasks:write']
    const nothing = { status: 200, data: { finishTask: null }, errors: [] }
    expect(await app.as('ben', { scopes }).run(finish)).toEqual(nothing)
    expect((await app.as('ada', { scopes }).run('{ me { email tasks { title done } } }')).data).toEqual({
      me: { email: 'ada@example.org', tasks: [{ title: 'water the plants', done: false }] },
    })
    expect((await app.as('ada', { scopes }).run(finish)).data).toEqual({ finishTask: { done: true } })
    expect(await app.violations()).toEqual([])
  })
})
