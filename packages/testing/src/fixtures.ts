import { postgres } from '@behalf/postgres'
import { createSubgraph } from '@behalf/subgraph'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestConfig } from './test-subgraph.ts'

/** For this package's tests only: a subgraph as an app would have it. */
export interface NoteTables {
  note: { id: string; owner: string; text: string }
}

const typeDefs = (whose: string) => `
  extend schema
    @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@requiresScopes"])
    @link(url: "https://behalf.dev/identity/v0.1", import: ["@owner", "@public"])
  type Query { notes: [Note] @requiresScopes(scopes: [["notes:read"]]) tier: String }
  type Note ${whose} { id: ID! text: String }
  type Mutation { setNote(id: ID!, text: String!): Note }
`

export function noteMigrations(): string {
  const folder = mkdtempSync(join(tmpdir(), 'behalf-notes-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  writeFileSync(
    join(folder, '001.sql'),
    "create table note (id text primary key, owner text not null, text text not null); select behalf.own('note', 'owner');",
  )
  return folder
}

/** @param whose - what the schema says of a note's owner. */
export const createNotes =
  (whose: string) =>
  ({ databaseUrl, ...config }: TestConfig) =>
    createSubgraph<NoteTables>({
      ...config,
      name: 'notes',
      typeDefs: typeDefs(whose),
      db: postgres<NoteTables>(databaseUrl),
      resolvers: {
        Query: {
          notes: (_parent, _args, { db }) => db.selectFrom('note').selectAll().execute(),
          tier: (_parent, _args, { identity }) => identity.facts['tier'],
        },
        Mutation: {
          setNote: (_parent, note: { id: string; text: string }, { db, identity }) =>
            db
              .insertInto('note')
              .values({ ...note, owner: identity.subject })
              .onConflict((conflict) => conflict.column('id').doUpdateSet({ text: note.text }))
              .returningAll()
              .executeTakeFirst(),
        },
      },
    })

export const notes = createNotes('@owner(field: "owner")')
