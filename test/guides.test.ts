import { randomUUID } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { compose, type CompositionError } from '@behalf/composition'
import type { TestAnswer, TestCaller, TestSubgraph } from '@behalf/testing'
import { DummyDriver, Kysely, PostgresAdapter, PostgresIntrospector, PostgresQueryCompiler } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fromGuide, links, readGuide, type Tables } from './support/guide-subgraph.ts'

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

describe('[P7] docs/guides/entities.md', () => {
  let app: TestSubgraph<Tables>
  beforeAll(async () => {
    app = await fromGuide('entities')
    await app.admin
      .insertInto('invoices')
      .values([
        { number: 'R-1', user_id: 'usr_ada', total: '10.00' },
        { number: 'R-2', user_id: 'usr_ben', total: '20.00' },
      ])
      .execute()
  })
  afterAll(() => app.close())
  const entities = (...representations: object[]) =>
    app
      .as('ada', { scopes: ['invoices:read'] })
      .run(
        `query ($of: [_Any!]!) { _entities(representations: $of) {
          ... on User { invoices { number vat } } ... on Invoice { total } } }`,
        { of: representations },
      )
      .then(seen)

  it('adds to the users of another subgraph what that one knows of them', async () => {
    expect(await app.violations()).toEqual([])
    const user = { __typename: 'User', id: 'usr_ada', country: 'DE' }
    expect(await entities(user, { __typename: 'Invoice', number: 'R-1' })).toEqual([
      { _entities: [{ invoices: [{ number: 'R-1', vat: '19' }] }, { total: '10.00' }] },
    ])
  })

  it('has nothing for keys that are not the caller’s', async () => {
    const keys = [
      { __typename: 'User', id: 'usr_ben' },
      { __typename: 'Invoice', number: 'R-2' },
      { __typename: 'Invoice', number: 'R-9' },
    ]
    expect(await entities(...keys)).toEqual([{ _entities: [null, null, null] }])
  })

  const users = `${links}
    type Query { viewer: User @authenticated }
    type User @key(fields: "id") @owner(field: "id") { id: ID! country: String }`
  const codes = (invoices: string) =>
    composed({ users, invoices }).then(
      () => [],
      ({ problems }: CompositionError) => problems.map(({ code }) => code),
    )

  it('composes with the users of another subgraph, if both say whose these are, and alike', async () => {
    const { schema } = await readGuide('entities')
    expect(await codes(schema)).toEqual([])
    const owner = '@key(fields: "id") @owner(field: "id")'
    expect(schema).toContain(owner)
    expect(await codes(schema.replace(owner, '@key(fields: "id") @public'))).toContain('OWNERSHIP_DISAGREES')
    expect(await codes(schema.replace(' @owner(field: "userId")', ''))).toContain('OWNERSHIP_UNSAID')
  })
})

describe('docs/guides/batching.md', () => {
  it('is two queries, and the rows of each key', async () => {
    await using app = await fromGuide('batching')
    const ids = ['o1', 'o2', 'o3']
    await app.admin
      .insertInto('orders')
      .values(ids.map((id) => ({ id, user_id: 'usr_ada' })))
      .execute()
    await app.admin
      .insertInto('items')
      .values(['o3', 'o1', 'o1'].map((order_id, index) => ({ order_id, name: `item ${index}` })))
      .execute()
    const ada = app.as('ada', { scopes: ['orders:read'] })
    expect(seen(await ada.run('{ orders { id items { name } } }'))).toEqual([
      {
        orders: [
          { id: 'o1', items: [{ name: 'item 1' }, { name: 'item 2' }] },
          { id: 'o2', items: [] },
          { id: 'o3', items: [{ name: 'item 0' }] },
        ],
      },
    ])
    expect(await app.violations()).toEqual([])
  })

  it('asks once for what is asked for in one tick, and anew in another request', async () => {
    const { exported } = await readGuide('batching')
    const items = exported['items'] as (context: object) => { load(key: string): Promise<unknown> }
    const asked: string[] = []
    const request = () => ({ db: recorder((sql) => asked.push(sql)) })
    const context = request()
    expect(await Promise.all(['o1', 'o2', 'o1'].map((id) => items(context).load(id)))).toEqual([[], [], []])
    expect(asked).toHaveLength(1)
    await items(context).load('o1')
    expect(asked).toHaveLength(1)
    await items(request()).load('o1')
    expect(asked).toHaveLength(2)
  })
})

describe('[P7] docs/guides/ownership.md', () => {
  const start = async (change: Parameters<typeof fromGuide>[1] = {}) => {
    const app = await fromGuide('ownership', change)
    await app.admin
      .insertInto('documents')
      .values([
        { id: 'a', user_id: 'usr_ada', title: 'A' },
        { id: 'b', user_id: 'usr_ben', title: 'B' },
      ])
      .execute()
    await app.admin.insertInto('pages').values({ document_id: 'a', text: 'p' }).execute()
    return app
  }
  const query = '{ documents { title pages { text } } document(id: "b") { title } }'
  const ask = (app: TestSubgraph<Tables>) =>
    app
      .as('ada', { scopes: ['documents:read'] })
      .run(query)
      .then(seen)
  const own = [{ documents: [{ title: 'A', pages: [{ text: 'p' }] }], document: null }]

  it('shows the caller’s own', async () => {
    await using app = await start()
    expect(await ask(app)).toEqual(own)
    expect(await app.violations()).toEqual([])
  })

  it('without @owner there is no graph', async () => {
    const { schema } = await readGuide('ownership')
    const documents = schema.replace('type Paper @public', 'type Other @public')
    await expect(composed({ documents })).resolves.toBeDefined()
    await expect(composed({ documents: documents.replace(' @owner(field: "userId")', '') })).rejects.toMatchObject({
      problems: expect.arrayContaining([expect.objectContaining({ code: 'OWNERSHIP_UNSAID', line: 9 })]) as unknown,
    })
  })

  it('without behalf.own, others’ are withheld all the same, and the table is named', async () => {
    const left = (sql: string) => sql.replace(/^select behalf\.own.*$/gm, '')
    await using app = await start({ sql: left })
    expect(await ask(app)).toEqual([{ documents: [{ title: 'A', pages: [{ text: 'p' }] }, null], document: null }])
    expect(await app.violations()).toContainEqual(
      expect.stringMatching(/^Table guide\.documents has no forced row-level security: /),
    )
  })

  it('without the owner in what a resolver answers, nobody is shown it', async () => {
    await using app = await start({ ts: (code) => code.replaceAll(", 'user_id as userId'", '') })
    expect(await ask(app)).toEqual([{ documents: [null], document: null }])
  })

  it('without the foreign key, the migration fails', async () => {
    const change = { sql: (sql: string) => sql.replace(' references documents (id)', '') }
    await expect(fromGuide('ownership', change)).rejects.toThrow('is no foreign key')
  })
})

/** A database that answers nothing and says what it was asked. */
const recorder = (onQuery: (sql: string) => void) =>
  new Kysely({
    dialect: {
      createAdapter: () => new PostgresAdapter(),
      createDriver: () => new DummyDriver(),
      createIntrospector: (db) => new PostgresIntrospector(db),
      createQueryCompiler: () => new PostgresQueryCompiler(),
    },
    log: ({ query }) => onQuery(query.sql),
  })

/** The graph of these subgraphs, by name. */
async function composed(subgraphs: Readonly<Record<string, string>>) {
  const root = await mkdtemp(join(tmpdir(), `behalf-guide-${randomUUID()}`))
  try {
    for (const [index, [name, schema]] of Object.entries(subgraphs).entries()) {
      const manifest = join(root, 'apps', name, 'behalf.json')
      await mkdir(dirname(manifest), { recursive: true })
      await writeFile(manifest, JSON.stringify({ name, schema: 'schema.graphql', port: 4101 + index }))
      await writeFile(join(root, 'apps', name, 'schema.graphql'), schema)
    }
    return await compose({ root })
  } finally {
    await rm(root, { recursive: true })
  }
}
