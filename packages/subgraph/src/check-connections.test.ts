import type { Principal } from '@behalf/identity'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { readConnection } from './connection.ts'
import { createSubgraph, type ListeningSubgraph } from './create-subgraph.ts'
import { ada, agentOf, ben, contextKeys, links, logBook, principal, receiver, run, trustDomain } from './fixtures.ts'

const typeDefs = `${links}
  type Query {
    notes(of: String!): NoteConnection
    read(of: String!, first: Int): NoteConnection
    kept(of: String!): KeptConnection
    open(of: String!): OpenConnection
    marked(of: String!): MarkedConnection
    things(of: String!): ThingConnection
    lazy(of: String!): LazyConnection
    tree: Tree
    edge(of: String!): NoteEdge
    folder(of: String!): Folder
  }
  type PageInfo @public { hasNextPage: Boolean! hasPreviousPage: Boolean! startCursor: String endCursor: String }
  type NoteConnection @owned(through: "parent") { edges: [NoteEdge!]! nodes: [Note] pageInfo: PageInfo! totalCount: Int }
  type NoteEdge @owned(through: "parent") { cursor: String! node: Note }
  type KeptConnection @owner(field: "userId") { edges: [NoteEdge] totalCount: Int }
  type OpenConnection @public { edges: [NoteEdge] totalCount: Int }
  type MarkedConnection @public { cursor: String edges: [NoteEdge] totalCount: Int }
  type ThingConnection @public { edges: [ThingEdge] totalCount: Int }
  type ThingEdge @public { cursor: String! node: Thing }
  type LazyConnection @public { edges: [LazyEdge] totalCount: Int }
  type LazyEdge @public { cursor: String! node: Note }
  type Tree @public { cursor: String! node: Tree edges: [Tree] }
  type Folder @public { label: String note: Note notes: [Note] edges: NoteEdge }
  union Thing = Note | Leaf
  type Note @owner(field: "userId", unless: [["users:read"]]) { id: ID! }
  type Leaf @public { id: ID! }
`

const note = (id: string, userId: string, tenant = 'acme') => ({ __typename: 'Note', id, userId, tenant })
const edgeOf = (node: unknown) => ({ cursor: 'where', node })
const [mine, theirs, strangers] = [note('mine', 'usr_ada'), note('theirs', 'usr_ben'), note('far', 'usr_eve', 'globex')]
const pageInfo = { hasNextPage: false, hasPreviousPage: false, startCursor: 'where', endCursor: 'where' }
const connectionOf = (...nodes: unknown[]) => ({ edges: nodes.map(edgeOf), pageInfo, totalCount: nodes.length })

/** The bugs: connections that hold more than the caller's. */
const connections: Readonly<Record<string, () => object>> = {
  mine: () => connectionOf(mine, mine),
  theirs: () => connectionOf(mine, theirs),
  strangers: () => connectionOf(mine, strangers),
  none: () => connectionOf(),
  gone: () => connectionOf(mine, null),
  promised: () => ({ ...connectionOf(), edges: Promise.resolve([Promise.resolve(edgeOf(Promise.resolve(theirs)))]) }),
  promisedMine: () => ({ ...connectionOf(), edges: Promise.resolve([edgeOf(Promise.resolve(mine))]) }),
  set: () => ({ ...connectionOf(), edges: new Set([edgeOf(theirs)]) }),
  nodes: () => ({ ...connectionOf(mine), nodes: [mine, theirs] }),
  leaves: () => connectionOf({ __typename: 'Leaf', id: 'leaf' }, theirs),
  functions: () => ({ ...connectionOf(), edges: () => [edgeOf(mine), edgeOf(theirs)] }),
  nodesLater: () => ({ ...connectionOf(mine), nodes: () => [mine, theirs] }),
  once: () => ({ ...connectionOf(), edges: [edgeOf(mine), edgeOf(theirs)].values() }),
  failed: () => ({ ...connectionOf(mine), edges: [edgeOf(mine), edgeOf(Promise.reject(new Error('not today')))] }),
}
const find = (_parent: unknown, { of }: { of: string }) => connections[of]?.() ?? null
const rows = [mine, theirs, mine]

const resolvers = {
  Query: {
    notes: find,
    read: (_parent: unknown, page: { of: string; first?: number }) =>
      readConnection(
        page,
        ({ limit }) => Promise.resolve((page.of === 'mine' ? [mine, mine, mine] : rows).slice(0, limit)),
        ({ id }) => ({ at: new Date(0), id }),
      ),
    kept: (parent: unknown, args: { of: string }) => ({ userId: 'usr_ada', ...find(parent, args) }),
    open: find,
    marked: find,
    things: find,
    lazy: find,
    edge: (_parent: unknown, { of }: { of: string }) => edgeOf(of === 'mine' ? mine : theirs),
    folder: (_parent: unknown, { of }: { of: string }) => ({
      label: 'f',
      note: of === 'mine' ? mine : theirs,
      edges: edgeOf(of === 'mine' ? mine : theirs),
    }),
    tree: () => ({ cursor: 'a', node: { cursor: 'b', edges: [] }, edges: [] }),
  },
  LazyEdge: { node: ({ node }: { node: unknown }) => node },
}

const log = logBook()
let subgraph: ListeningSubgraph
beforeAll(async () => {
  const options = { name: receiver, typeDefs, resolvers, contextKeys, trustDomain, log }
  subgraph = await createSubgraph(options).listen({ port: 0 })
})
afterAll(() => subgraph.close())
beforeEach(() => {
  log.lines.length = 0
})

async function ask(as: Principal, query: string) {
  const { json } = await run(subgraph.url, query, { as })
  const codes = (json.errors ?? []).map(({ path, extensions }) => `${path?.join('.')} ${extensions.code}`)
  return { data: json.data, codes }
}
const shown = (data: object) => ({ data, codes: [] })
const reports = () => log.lines.map(({ code, type, coordinate }) => [code, type, coordinate])
const whole = '{ edges { cursor node { ... on Note { id } } } totalCount }'
const own = { edges: [edgeOf({ id: 'mine' }), edgeOf({ id: 'mine' })], totalCount: 2 }

describe('a connection', () => {
  it.each(['notes', 'kept', 'open', 'marked', 'things'])(
    '[P7] is shown whole or not at all, by whatever owner: %s',
    async (field) => {
      expect(await ask(ada, `{ ${field}(of: "mine") ${whole} }`)).toEqual(shown({ [field]: own }))
      expect(await ask(agentOf(ada), `{ ${field}(of: "mine") ${whole} }`)).toEqual(shown({ [field]: own }))
      expect(reports()).toEqual([])
      for (const of of ['theirs', 'strangers', 'promised', 'set']) {
        expect(await ask(ada, `{ ${field}(of: "${of}") ${whole} }`)).toEqual(shown({ [field]: null }))
      }
      expect(reports()).toEqual(Array.from({ length: 4 }, () => ['FOREIGN_OBJECT_WITHHELD', 'Note', `Query.${field}`]))
    },
  )

  it.each(['totalCount', 'pageInfo { hasNextPage }', 'edges { cursor }'])(
    '[P7] does not say how many there are, or where: %s',
    async (part) => {
      expect(await ask(ada, `{ notes(of: "mine") { ${part} } }`)).not.toEqual(shown({ notes: null }))
      expect(await ask(ada, `{ notes(of: "theirs") { ${part} } }`)).toEqual(shown({ notes: null }))
    },
  )

  it('[P7] is withheld where its nodes are of several types', async () => {
    expect(await ask(ada, `{ things(of: "leaves") ${whole} }`)).toEqual(shown({ things: null }))
    expect(reports()).toEqual([['FOREIGN_OBJECT_WITHHELD', 'Note', 'Query.things']])
  })

  it('[P7] is looked at in its short form, too', async () => {
    expect(await ask(ada, '{ notes(of: "nodes") { totalCount } }')).toEqual(shown({ notes: null }))
  })

  it('[P7] does not say that the next page begins with a row of somebody else', async () => {
    const page = (of: string) =>
      ask(ada, `{ read(of: "${of}", first: 1) { edges { node { id } } pageInfo { hasNextPage } } }`)
    expect(await page('mine')).toEqual(
      shown({ read: { edges: [{ node: { id: 'mine' } }], pageInfo: { hasNextPage: true } } }),
    )
    expect(await page('theirs')).toEqual(shown({ read: null }))
  })

  it('may be empty, have nodes that are gone, or be promised', async () => {
    expect(await ask(ada, `{ notes(of: "none") ${whole} }`)).toEqual(shown({ notes: { edges: [], totalCount: 0 } }))
    expect(await ask(ada, `{ notes(of: "gone") ${whole} }`)).toMatchObject({
      data: { notes: { totalCount: 2 } },
      codes: [],
    })
    expect(await ask(ada, `{ notes(of: "promisedMine") ${whole} }`)).toMatchObject({
      data: { notes: { edges: [edgeOf({ id: 'mine' })] } },
    })
    expect(await ask(ada, '{ tree { node { cursor } } }')).toEqual(shown({ tree: { node: { cursor: 'b' } } }))
  })

  it('[P7] is an error where it cannot be told whose a node is', async () => {
    expect(await ask(ada, `{ notes(of: "failed") ${whole} }`)).toEqual({
      data: { notes: null },
      codes: ['notes INTERNAL'],
    })
  })

  it('[P7] shows a person with `unless` those of the tenant, and is withheld with any other', async () => {
    const support = principal('usr_sam', { scopes: ['users:read'] })
    expect(await ask(support, '{ notes(of: "theirs") { totalCount } }')).toEqual(shown({ notes: { totalCount: 2 } }))
    expect(await ask(agentOf(support), '{ notes(of: "theirs") { totalCount } }')).toEqual(shown({ notes: null }))
    expect(await ask(support, '{ notes(of: "strangers") { totalCount } }')).toEqual(shown({ notes: null }))
  })

  it('[P7] whose nodes are found later has each of them withheld by itself', async () => {
    const edges = '{ edges { cursor node { id } } }'
    expect(await ask(ada, `{ lazy(of: "theirs") ${edges} }`)).toEqual(
      shown({ lazy: { edges: [edgeOf({ id: 'mine' }), edgeOf(null)] } }),
    )
    expect(await ask(ada, '{ notes(of: "nodesLater") { nodes { id } } }')).toEqual(
      shown({ notes: { nodes: [{ id: 'mine' }, null] } }),
    )
    for (const of of ['functions', 'once']) {
      expect(await ask(ada, `{ open(of: "${of}") ${edges} }`)).toEqual(
        shown({ open: { edges: [edgeOf({ id: 'mine' }), null] } }),
      )
    }
  })
})

describe('an edge', () => {
  it('[P7] is withheld together with its node', async () => {
    expect(await ask(ada, '{ edge(of: "theirs") { cursor } }')).toEqual(shown({ edge: null }))
    expect(await ask(ben, '{ edge(of: "theirs") { cursor } }')).toEqual(shown({ edge: { cursor: 'where' } }))
  })
})

describe('what is no connection', () => {
  it('loses the foreign object and no more', async () => {
    expect(await ask(ada, '{ folder(of: "theirs") { label note { id } } }')).toEqual(
      shown({ folder: { label: 'f', note: null } }),
    )
    expect(await ask(ada, '{ folder(of: "theirs") { label edges { cursor } } }')).toEqual(
      shown({ folder: { label: 'f', edges: null } }),
    )
    expect(await ask(ada, '{ folder(of: "mine") { label edges { cursor } } }')).toEqual(
      shown({ folder: { label: 'f', edges: { cursor: 'where' } } }),
    )
  })
})
