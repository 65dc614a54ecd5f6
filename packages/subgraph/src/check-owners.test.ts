import type { Principal } from '@behalf/identity'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { buildSchema } from './build-schema.ts'
import { ada, agentOf, ben, links, logBook, principal, run } from './fixtures.ts'
import { below, startOwned } from './owner-fixtures.ts'
import { protectSchema } from './protect-schema.ts'

const log = logBook()
let subgraph: Awaited<ReturnType<typeof startOwned>>
beforeAll(async () => {
  subgraph = await startOwned(log)
})
afterAll(() => subgraph.close())
beforeEach(() => {
  below.length = 0
  log.lines.length = 0
})

const anonymous = principal('anonymous', { tenant: null, client: null })
const holding = (...scopes: string[]) => principal('usr_sam', { scopes })

async function ask(as: Principal, query: string) {
  const { json } = await run(subgraph.url, query, { as })
  return {
    data: json.data,
    codes: (json.errors ?? []).map(({ path, extensions }) => `${path?.join('.')} ${extensions.code}`),
  }
}
const shown = (data: object) => ({ data, codes: [] })
const reports = () =>
  log.lines
    .filter(({ code }) => code === 'FOREIGN_OBJECT_WITHHELD')
    .map(({ level, type, coordinate }) => [level, type, coordinate])

const single = ['note', 'later', 'thing', 'anything', 'told'] as const
const one = (field: string, id: string) =>
  `{ ${field}(id: "${id}") { __typename ... on Note { id text pages { text } } } }`

describe('an object of another user', () => {
  it.each(single)('[P7] is withheld by %s like one that does not exist, and shown to its owner', async (field) => {
    const missing = await ask(ada, one(field, 'nothing'))
    expect(await ask(ada, one(field, 'theirs'))).toEqual(missing)
    expect(missing).toEqual(shown({ [field]: null }))
    expect(below).toEqual([])
    expect(reports()).toEqual([['warn', 'Note', `Query.${field}`]])

    const own = { __typename: 'Note', id: 'mine', text: 'secret of mine', pages: [{ text: 'page' }] }
    expect(await ask(ada, one(field, 'mine'))).toEqual(shown({ [field]: own }))
    expect(await ask(ben, one(field, 'theirs'))).toMatchObject({ data: { [field]: { id: 'theirs' } } })
    expect(await ask(agentOf(ada), one(field, 'mine'))).toEqual(shown({ [field]: own }))
    expect(reports()).toHaveLength(1)
  })

  it.each(['note', 'anything'])('[P7] is withheld by %s from agents and from those who are nobody', async (field) => {
    for (const caller of [agentOf(ada), anonymous, agentOf(anonymous)]) {
      expect(await ask(caller, one(field, 'theirs'))).toEqual(shown({ [field]: null }))
    }
    expect(await ask(anonymous, one(field, 'nobodys'))).toEqual(shown({ [field]: null }))
    expect(await ask(anonymous, one('anything', 'leaf'))).toEqual(shown({ anything: { __typename: 'Leaf' } }))
  })

  it('[P7] is withheld below objects that are shown', async () => {
    expect(await ask(ada, '{ shelf { label note { id } } }')).toEqual(shown({ shelf: { label: 'shelf', note: null } }))
    expect(await ask(ada, '{ note(id: "chained") { next { id next { id } } } }')).toEqual(
      shown({ note: { next: { id: 'mine', next: null } } }),
    )
    expect(reports()).toEqual([
      ['warn', 'Note', 'Shelf.note'],
      ['warn', 'Note', 'Note.next'],
    ])
    expect(await ask(ben, '{ shelf { note { id } } }')).toEqual(shown({ shelf: { note: { id: 'theirs' } } }))
  })

  it('[P7] leaves its place in a list empty', async () => {
    const ids = '["theirs", "mine", "nothing", "promisedTheirs", "promised"]'
    const [mine, promised] = [{ id: 'mine' }, { id: 'promised' }]
    const row = [null, mine, null, null, promised]
    expect(await ask(ada, `{ list(ids: ${ids}) { id } }`)).toEqual(shown({ list: row }))
    expect(reports()).toEqual([['warn', 'Note', 'Query.list']])
    expect(await ask(ada, `{ grid(ids: ${ids}) { id } }`)).toEqual(
      shown({ grid: [[null, mine, null, null, promised], row] }),
    )
    expect(
      await ask(ada, '{ mixed(ids: ["leaf", "theirs", "mine"]) { ... on Leaf { id } ... on Note { id } } }'),
    ).toEqual(shown({ mixed: [{ id: 'leaf' }, null, mine] }))
  })

  it('[P7] takes its parent with it where it cannot be null, as GraphQL has it', async () => {
    for (const id of ['theirs', 'nothing']) {
      expect(await ask(ada, `{ required(id: "${id}") { id } }`)).toEqual({ data: null, codes: ['required INTERNAL'] })
      expect(await ask(ada, `{ full(ids: ["mine", "${id}"]) { id } }`)).toEqual({
        data: { full: null },
        codes: ['full.1 INTERNAL'],
      })
    }
    expect(await ask(ada, '{ full(ids: ["mine"]) { id } required(id: "mine") { id } }')).toMatchObject({ codes: [] })
  })

  it('[P7] is withheld as an entity, looked up or not', async () => {
    const entities = (...of: string[]) =>
      `{ _entities(representations: [${of.join(', ')}]) { __typename ... on Note { id text } ... on Room { id } } }`
    const found = ['mine', 'theirs', 'nothing'].map((id) => `{ __typename: "Note", id: "${id}" }`)
    const leaf = '{ __typename: "Leaf", id: "leaf" }'
    const rooms = ['acme', 'globex'].map((org) => `{ __typename: "Room", id: "1", org: "${org}" }`)
    expect(await ask(ada, entities(...found, leaf, ...rooms))).toEqual(
      shown({
        _entities: [
          { __typename: 'Note', id: 'mine', text: 'secret of mine' },
          null,
          null,
          { __typename: 'Leaf' },
          { __typename: 'Room', id: '1' },
          null,
        ],
      }),
    )
    expect(below).toEqual(['text'])
    expect(reports()).toEqual([
      ['warn', 'Note', 'Query._entities'],
      ['warn', 'Room', 'Query._entities'],
    ])
  })

  it('[P7] is withheld by a mutation', async () => {
    expect(await ask(ada, 'mutation { touch(id: "theirs") { id } }')).toEqual(shown({ touch: null }))
    expect(await ask(ada, 'mutation { touch(id: "mine") { id } }')).toEqual(shown({ touch: { id: 'mine' } }))
    expect(reports()).toEqual([['warn', 'Note', 'Mutation.touch']])
  })

  it('is reported under its transaction, without anything of it', async () => {
    await ask(ada, '{ list(ids: ["theirs", "theirs"]) { text } note(id: "theirs") { text } }')
    expect(log.lines).toHaveLength(2)
    expect(log.lines[0]).toMatchObject({ txn: expect.stringMatching(/^[\da-f-]{36}$/), level: 'warn', type: 'Note' })
    expect(JSON.stringify(log.lines)).not.toMatch(/theirs|usr_|secret/)
  })
})

describe('an object that does not say whose it is', () => {
  it.each(['ownerless', 'nulled', 'listed'])('[P7] is withheld and reported as a mistake: %s', async (id) => {
    expect(await ask(ada, one('note', id))).toEqual(shown({ note: null }))
    expect(await ask(ada, one('anything', id))).toEqual(shown({ anything: null }))
    expect(below).toEqual([])
    expect(reports()).toEqual([
      ['error', 'Note', 'Query.note'],
      ['error', 'Note', 'Query.anything'],
    ])
  })

  it('[P7] is withheld where it is an id in place of an object', async () => {
    expect(await ask(ada, one('noteOfId', 'mine'))).toEqual(shown({ noteOfId: null }))
    expect(below).toEqual([])
    expect(reports()).toEqual([['error', 'Note', 'Query.noteOfId']])
  })

  it('[P7] is an error where its owner cannot be told, in a list of that item only', async () => {
    expect(await ask(ada, one('note', 'failed'))).toEqual({ data: { note: null }, codes: ['note INTERNAL'] })
    expect(await ask(ada, one('note', 'thrown'))).toEqual({ data: { note: null }, codes: ['note INTERNAL'] })
    expect(await ask(ada, '{ broken { __typename } }')).toEqual({
      data: { broken: [null, null, null, { __typename: 'Note' }] },
      codes: ['broken.1 INTERNAL', 'broken.2 INTERNAL'],
    })
    const notChecked = 'An item could not be checked'
    expect(JSON.stringify(log.lines)).not.toContain(notChecked)
    expect(await ask(ada, '{ list(ids: ["unread", "mine", "worded"]) { id } }')).toEqual({
      data: { list: [null, { id: 'mine' }, null] },
      codes: ['list.0 INTERNAL', 'list.2 INTERNAL'],
    })
    expect(JSON.stringify(log.lines)).toContain(notChecked)
    expect(await ask(ada, '{ listless { id } }')).toEqual({ data: { listless: null }, codes: ['listless INTERNAL'] })
  })
})

describe('an object of a tenant', () => {
  it('[P7] is shown in that tenant only', async () => {
    expect(await ask(ada, '{ room(id: "acme") { id } }')).toEqual(shown({ room: { id: 'acme' } }))
    expect(await ask(agentOf(ben), '{ room(id: "acme") { id } }')).toEqual(shown({ room: { id: 'acme' } }))
    for (const [caller, id] of [
      [ada, 'globex'],
      [anonymous, 'acme'],
      [anonymous, 'unrented'],
    ] as const)
      expect(await ask(caller, `{ room(id: "${id}") { id } }`)).toEqual(shown({ room: null }))
  })
})

describe('`unless`', () => {
  const person = (id: string) => `{ person(id: "${id}") { name } }`
  const nobody = shown({ person: null })

  it('[P7] shows nobody what does not say whose it is', async () => {
    expect(await ask(holding('admin'), person('unnamed'))).toEqual(nobody)
    expect(reports()).toEqual([['error', 'Person', 'Query.person']])
  })

  it('[P7] shows a human with the scopes others of their tenant', async () => {
    for (const caller of [holding('users:read', 'support'), holding('admin')]) {
      expect(await ask(caller, person('usr_ben'))).toEqual(shown({ person: { name: 'Ben' } }))
      expect(await ask(caller, person('usr_eve'))).toEqual(shown({ person: { name: 'Eve' } }))
    }
    expect(reports()).toEqual([])
  })

  it.each<[string, Principal, string]>([
    ['someone of another tenant', holding('admin'), 'usr_chloe'],
    ['someone of a tenant that is not said', holding('admin'), 'usr_dan'],
    ['anyone to an agent', agentOf(holding('admin')), 'usr_ben'],
    ['anyone for one scope of a set', holding('users:read'), 'usr_ben'],
    ['anyone without a scope', ada, 'usr_ben'],
    ['anyone to someone without a tenant', principal('usr_sam', { tenant: null, scopes: ['admin'] }), 'usr_fay'],
  ])('[P7] does not show %s', async (_what, caller, id) => {
    expect(await ask(caller, person(id))).toEqual(nobody)
    expect(reports()).toEqual([['warn', 'Person', 'Query.person']])
  })

  it('leaves everybody their own', async () => {
    expect(await ask(ada, person('usr_ada'))).toEqual(shown({ person: { name: 'Ada' } }))
    expect(await ask(agentOf(ada), person('usr_ada'))).toEqual(shown({ person: { name: 'Ada' } }))
  })

  it('[P7] lets a reference pass that says its tenant, and no other', async () => {
    const entity = (of: string) =>
      `{ _entities(representations: [{ __typename: "Person", ${of} }]) { ... on Person { id } } }`
    expect(await ask(holding('admin'), entity('id: "usr_ben", tenant: "acme"'))).toEqual(
      shown({ _entities: [{ id: 'usr_ben' }] }),
    )
    expect(await ask(holding('admin'), entity('id: "usr_ben"'))).toEqual(shown({ _entities: [null] }))
    expect(await ask(holding('admin'), entity('id: "usr_sam"'))).toEqual(shown({ _entities: [{ id: 'usr_sam' }] }))
  })
})

describe('a schema', () => {
  const protect = (sdl: string) => () => protectSchema(buildSchema('notes', `${links} ${sdl}`, {}))

  it('does not start where an owner could never be told', () => {
    expect(protect('type Query { a: A } type A @owner(field: "id") { id: ID }')).not.toThrow()
    expect(protect('type Query { a: A } type A @owner(field: "") { id: ID }')).toThrow('names no field')
    expect(protect('type Query { a: A } type A @owner(field: "id", claim: "email") { id: ID }')).toThrow(
      '@owner of A(claim: "email") is neither "sub" nor "tenant"',
    )
    expect(
      protect('type Query { a: A } type A @owner(field: "id") { id: ID } extend type A @owner(field: "b") { b: ID }'),
    ).toThrow('The directive "@owner" can only be used once')
  })

  it('reads it where a type is extended', async () => {
    const schema = protect(
      `type Query { a: A b: B c: C ab: AB } type A { id: ID } extend type A @owner(field: "id")
       interface C { id: ID } type B implements C @public { id: ID } union AB = A | B`,
    )()
    const { a, ab, b, c } = schema.getQueryType()?.getFields() ?? {}
    for (const field of [a, ab]) expect(field?.resolve).toBeTypeOf('function')
    // What can hold nothing that is owned costs nothing.
    for (const field of [b, c]) expect(field?.resolve).toBeUndefined()
  })
})
