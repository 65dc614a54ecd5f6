import type { AuditEvent } from '@behalf/identity'
import { postgres } from '@behalf/postgres'
import { testDatabase } from '@behalf/postgres/embedded'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSubgraph } from './create-subgraph.ts'
import { contextKeys, links, receiver, trustDomain } from './fixtures.ts'

/** For this package's tests only: a subgraph whose resolvers find whatever is asked for, of whomever. */
const typeDefs = `${links}
  type Query {
    note(id: ID!): Note
    later(id: ID!): Note
    noteOfId(id: ID!): Note
    required(id: ID!): Note!
    shelf: Shelf
    thing(id: ID!): Thing
    anything(id: ID!): Anything
    told(id: ID!): Told
    room(id: ID!): Room
    person(id: ID!): Person
    list(ids: [ID!]!): [Note]
    full(ids: [ID!]!): [Note!]
    grid(ids: [ID!]!): [[Note]]
    mixed(ids: [ID!]!): [Anything]
    broken: [Anything]
  }
  type Mutation { touch(id: ID!): Note }
  interface Thing { id: ID! }
  union Anything = Note | Leaf
  union Told = Note | Leaf
  type Note implements Thing @key(fields: "id") @owner(field: "userId") { id: ID! text: String pages: [Page] next: Note }
  type Page @owned(through: "parent") { text: String }
  type Leaf implements Thing @key(fields: "id") @public { id: ID! }
  type Shelf @public { label: String note: Note }
  type Room @key(fields: "id") @owner(field: "org", claim: "tenant") { id: ID! }
  type Person @key(fields: "id") @owner(field: "id", unless: [["users:read", "support"], ["admin"]]) { id: ID! name: String }
`

const note = (id: string, userId?: unknown) => ({ __typename: 'Note', id, userId, text: `secret of ${id}` })
const objects: Readonly<Record<string, object>> = {
  mine: note('mine', 'usr_ada'),
  theirs: note('theirs', 'usr_ben'),
  promised: note('promised', Promise.resolve('usr_ada')),
  promisedTheirs: note('promisedTheirs', Promise.resolve('usr_ben')),
  failed: {
    ...note('failed'),
    get userId() {
      return Promise.reject(new Error('no owner today'))
    },
  },
  thrown: {
    ...note('thrown'),
    get userId() {
      throw new Error('no owner ever')
    },
  },
  unread: new Error('not read today'),
  ownerless: note('ownerless'),
  nulled: note('nulled', null),
  listed: note('listed', ['usr_ada']),
  nobodys: note('nobodys', 'anonymous'),
  linked: { ...note('linked', 'usr_ada'), next: note('theirs', 'usr_ben') },
  chained: { ...note('chained', 'usr_ada'), next: { ...note('mine', 'usr_ada'), next: note('theirs', 'usr_ben') } },
  leaf: { __typename: 'Leaf', id: 'leaf' },
  acme: { id: 'acme', org: 'acme' },
  globex: { id: 'globex', org: 'globex' },
  unrented: { id: 'unrented', org: null },
  usr_ada: { id: 'usr_ada', name: 'Ada' },
  usr_ben: { id: 'usr_ben', name: 'Ben', tenant: 'acme' },
  usr_eve: { id: 'usr_eve', name: 'Eve', tenant: Promise.resolve('acme') },
  usr_chloe: { id: 'usr_chloe', name: 'Chloe', tenant: 'globex' },
  usr_dan: { id: 'usr_dan', name: 'Dan' },
  usr_fay: { id: 'usr_fay', name: 'Fay', tenant: null },
}
/** The bug. */
const find = (_parent: unknown, { id }: { id: string }) => objects[id] ?? null
const findAll = (_parent: unknown, { ids }: { ids: string[] }) => ids.map((id) => objects[id] ?? null)

/** What ran below an object. */
export const below: string[] = []
const resolvers = {
  Query: {
    note: find,
    later: async (parent: unknown, args: { id: string }) => Promise.resolve(find(parent, args)),
    noteOfId: (_parent: unknown, { id }: { id: string }) => id,
    required: find,
    shelf: () => ({ label: 'shelf', note: () => objects['theirs'] }),
    thing: find,
    anything: find,
    told: find,
    room: find,
    person: find,
    list: findAll,
    full: findAll,
    grid: (parent: unknown, args: { ids: string[] }) => [new Set(findAll(parent, args)), findAll(parent, args)],
    mixed: (parent: unknown, args: { ids: string[] }) =>
      findAll(parent, args).map(async (item) => Promise.resolve(item)),
    broken: () => [objects['theirs'], objects['thrown'], objects['failed'], { __typename: 'Note', userId: 'usr_ada' }],
  },
  Mutation: { touch: find },
  Note: {
    __resolveReference: ({ id }: { id: string }) => find(null, { id }),
    text: ({ id }: { id: string }) => below.push('text') && `secret of ${id}`,
    pages: () => below.push('pages') && [{ text: 'page' }],
  },
  Told: { __resolveType: (value: { text?: string }) => Promise.resolve(value.text ? 'Note' : 'Leaf') },
}

/** Starts it, with a database for its mutations; what it records is kept in `events`. */
export async function startOwned(log: { write(line: string): void }) {
  await using started = new AsyncDisposableStack()
  const database = await testDatabase()
  started.defer(() => database.close())
  const folder = await mkdtemp(join(tmpdir(), 'behalf-'))
  started.defer(() => rm(folder, { recursive: true }))
  await writeFile(join(folder, '001.sql'), "create table nothing (); select behalf.public('nothing');")
  const events: AuditEvent[] = []
  const opened = postgres(await database.provision(receiver, folder))
  const db = { ...opened, audit: { ...opened.audit, record: (event: AuditEvent) => void events.push(event) } }
  const subgraph = createSubgraph({ name: receiver, typeDefs, resolvers, contextKeys, trustDomain, db, log })
  const { url, close } = await subgraph.listen({ port: 0 })
  started.defer(close)
  const running = started.move()
  return { url, events, close: () => running.disposeAsync() }
}
