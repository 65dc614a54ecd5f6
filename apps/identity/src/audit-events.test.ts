import { randomUUID } from 'node:crypto'
import { authoritySchema } from '@behalf/authority'
import { testSubgraph, type TestSubgraph } from '@behalf/testing'
import { sql } from 'kysely'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Database } from './database.ts'
import { identity } from './subgraph.ts'

let app: TestSubgraph<Database>
beforeAll(async () => {
  app = await testSubgraph<Database>(identity, { beside: [authoritySchema] })
})
afterAll(() => app?.close())
beforeEach(async () => {
  await sql`truncate behalf.audit_event`.execute(app.admin)
})

const fields = 'id txn parent at source what target rule outcome actor durationMs'
const query = `query ($first: Int, $after: String) { viewer { auditEvents(first: $first, after: $after) {
  edges { cursor node { ${fields} } } pageInfo { hasNextPage endCursor } } } }`
const scopes = ['audit:read']

const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, second))
const insert = (subject: string | null, target: string, second = 0) =>
  sql`insert into behalf.audit_event (source, txn, at, subject, what, target, rule, outcome, duration_ms) values
    ('gateway', ${randomUUID()}, ${at(second)}, ${subject}, 'field.denied', ${target},
     '@authenticated', 'UNAUTHENTICATED', 1.5)`.execute(app.admin)

interface Events {
  readonly edges: { cursor: string; node: Record<string, unknown> | null }[]
  readonly pageInfo: { hasNextPage: boolean; endCursor: string }
}
const eventsIn = (data: unknown) =>
  (data as { viewer: { auditEvents: Events | null } | null } | null)?.viewer?.auditEvents ?? null
const targets = (data: unknown) => eventsIn(data)?.edges.map(({ node }) => node?.['target'])

describe('auditEvents', () => {
  test('[P14] show a person what was decided about them, newest first', async () => {
    await insert('usr_ada', 'first', 1)
    await insert('usr_ada', 'second', 2)
    await insert('usr_ada', 'second too', 2)
    const { data, errors } = await app.as('ada', { scopes }).run(query)
    expect(errors).toEqual([])
    expect(targets(data)).toEqual(['second too', 'second', 'first'])
    expect(eventsIn(data)?.edges[2]?.node).toEqual({
      id: expect.stringMatching(/^\d+$/),
      txn: expect.stringMatching(/^[\da-f-]{36}$/),
      parent: null,
      at: '2026-01-01T00:00:01.000Z',
      source: 'gateway',
      what: 'field.denied',
      target: 'first',
      rule: '@authenticated',
      outcome: 'UNAUTHENTICATED',
      actor: null,
      durationMs: 1.5,
    })
  })

  test('come in pages', async () => {
    for (let second = 0; second < 5; second++) await insert('usr_ada', `${second}`, second)
    const ada = app.as('ada', { scopes })
    const seen: unknown[] = []
    let after: string | null = null
    do {
      const { data } = await ada.run(query, { first: 2, after })
      seen.push(...(targets(data) ?? []))
      const page: Events['pageInfo'] | undefined = eventsIn(data)?.pageInfo
      after = page?.hasNextPage ? page.endCursor : null
    } while (after !== null)
    expect(seen).toEqual(['4', '3', '2', '1', '0'])
    const forged = Buffer.from(JSON.stringify([at(3).getTime(), "1' or true"])).toString('base64url')
    const { errors } = await ada.run(query, { after: forged })
    expect(errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT' } }])
  })

  test("[P14] are nobody else's", async () => {
    for (const subject of ['usr_ada', 'usr_ben', 'anonymous', null]) await insert(subject, `of ${subject}`)
    const read = async (name: string) => targets((await app.as(name, { scopes }).run(query)).data)
    expect(await read('ada')).toEqual(['of usr_ada'])
    expect(await read('ben')).toEqual(['of usr_ben'])
    expect(await read('chloe')).toEqual([])
    const { data, errors } = await app.anonymous().run(query)
    expect(data).toEqual({ viewer: null })
    expect(errors).toMatchObject([{ extensions: { code: 'UNAUTHENTICATED' } }])
  })

  test('[P14] are not for support, who is shown the user', async () => {
    await app.admin
      .insertInto('users')
      .values({ id: 'usr_ada', tenant: 'acme', name: 'Ada', email: 'ada@acme.example', tier: 'premium' })
      .execute()
    await insert('usr_ada', 'of usr_ada')
    const sam = app.as('sam', { scopes: ['profile', 'users:read', 'audit:read'] })
    const someone = 'query ($id: ID!) { user(id: $id) { name auditEvents { edges { node { target } } } } }'
    const asked = await sam.run(someone, { id: 'usr_ada' })
    expect(asked).toMatchObject({ data: { user: { name: 'Ada', auditEvents: null } }, errors: [] })
    const entity = `{ _entities(representations: [{ __typename: "User", id: "usr_ada" }]) {
      ... on User { name auditEvents { edges { node { target } } } } }`
    const reached = await sam.run(`${entity} }`)
    expect(reached.data).toEqual({ _entities: [{ name: 'Ada', auditEvents: null }] })
  })

  test('[P14] ask for a scope, and are not for agents, whatever they hold', async () => {
    await insert('usr_ada', 'of usr_ada')
    const without = await app.as('ada').run(query)
    expect(without.errors).toMatchObject([{ extensions: { code: 'UNAUTHORIZED_FIELD_OR_TYPE' } }])
    const agent = await app.as('ada', { scopes }).agent({ tool: 'get_events' }).run(query)
    expect(agent.errors).toMatchObject([{ extensions: { code: 'AGENT_DENIED' } }])
    for (const { data } of [without, agent]) expect(data).toEqual({ viewer: { auditEvents: null } })
    expect(targets((await app.as('ada', { scopes }).run(query)).data)).toContain('of usr_ada')
  })

  test("[P7] are nobody else's where the database withholds nothing", async () => {
    await insert('usr_ada', 'of usr_ada')
    await insert('usr_ben', 'of usr_ben')
    await sql`alter table behalf.audit_event disable row level security`.execute(app.admin)
    const { data } = await app.as('ben', { scopes }).run(query)
    await sql`alter table behalf.audit_event enable row level security`.execute(app.admin)
    expect(targets(data)).toEqual(['of usr_ben'])
  })

  test('leave the catalogue without a violation', async () => {
    expect(await app.violations()).toEqual([])
  })
})
