import { authoritySchema } from '@behalf/authority'
import { type TestAnswer, testSubgraph, type TestSubgraph, testDelegation } from '@behalf/testing'
import { sql } from 'kysely'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Database } from './database.ts'
import { identity } from './subgraph.ts'

const list = `query ($first: Int) { viewer { delegations(first: $first) {
  id agent client scopes createdAt expiresAt lastUsedAt revokedAt } } }`
const end = 'mutation ($id: ID!) { revokeDelegation(id: $id) { id agent revokedAt } }'

describe('delegations', () => {
  let app: TestSubgraph<Database>
  beforeAll(async () => {
    app = await testSubgraph<Database>(identity, { beside: [authoritySchema] })
    await app.admin
      .insertInto('users')
      .values([
        { id: 'usr_ada', tenant: 'acme', name: 'Ada', email: 'ada@acme.example', tier: 'premium' },
        { id: 'usr_sam', tenant: 'acme', name: 'Sam', email: 'sam@acme.example', tier: 'support' },
      ])
      .execute()
  })
  beforeEach(() => sql`truncate authority.delegation, authority.revocation`.execute(app.admin))
  afterAll(() => app?.close())

  const scopes = ['delegations:manage']
  const ada = () => app.as('ada', { scopes })
  const idsOf = ({ data }: TestAnswer) =>
    (data as { viewer: { delegations: { id: string }[] } }).viewer.delegations.map(({ id }) => id)
  const revocations = async () =>
    (await sql`select delegation, reason from authority.revocation order by sequence`.execute(app.admin)).rows
  const inForce = async (id: string) =>
    (await sql`select from authority.delegation where id = ${id} and revoked_at is null`.execute(app.admin)).rows
      .length === 1

  test('[P11] are shown to the user who made them, and to nobody else', async () => {
    const own = await testDelegation(app, 'usr_ada')
    await testDelegation(app, 'usr_ben')
    expect(await ada().run(list)).toEqual({
      status: 200,
      data: {
        viewer: {
          delegations: [
            {
              id: own,
              agent: 'assistant',
              client: 'behalf-cli',
              scopes: ['orders:read', 'chat'],
              createdAt: expect.stringMatching(/^\d{4}-.*Z$/),
              expiresAt: expect.stringMatching(/^\d{4}-.*Z$/),
              lastUsedAt: null,
              revokedAt: null,
            },
          ],
        },
      },
      errors: [],
    })
    expect(idsOf(await app.as('ben', { scopes }).run(list))).not.toContain(own)
  })

  test('[P11] are not shown to support, who sees the user', async () => {
    const id = await testDelegation(app, 'usr_ada')
    const support = app.as('sam', { scopes: ['profile', 'users:read', ...scopes] })
    const someone = '{ user(id: "usr_ada") { name delegations { id } } }'
    expect(await support.run(someone)).toMatchObject({ data: { user: { name: 'Ada', delegations: null } }, errors: [] })
    expect((await support.run(end, { id })).data).toEqual({ revokeDelegation: null })
    expect(await inForce(id)).toBe(true)
  })

  test('[P8] [P11] are neither shown to an agent nor ended by one, approved or not', async () => {
    const id = await testDelegation(app, 'usr_ada')
    const agent = ada().agent({ tool: 'end_it' })
    for (const caller of [agent, agent.approved('revokeDelegation')]) {
      expect(await caller.run(list)).toMatchObject({
        data: { viewer: { delegations: null } },
        errors: [{ extensions: { code: 'AGENT_DENIED' } }],
      })
      expect(await caller.run(end, { id })).toMatchObject({
        data: { revokeDelegation: null },
        errors: [{ extensions: { code: 'AGENT_DENIED' } }],
      })
    }
    expect(await inForce(id)).toBe(true)
  })

  test('[P6] need the scope for it', async () => {
    const id = await testDelegation(app, 'usr_ada')
    const without = app.as('ada', { scopes: ['profile'] })
    for (const [query, path] of [
      [list, ['viewer', 'delegations']],
      [end, ['revokeDelegation']],
    ] as const)
      expect(await without.run(query, { id })).toMatchObject({
        errors: [{ path, extensions: { code: 'UNAUTHORIZED_FIELD_OR_TYPE' } }],
      })
    expect(await inForce(id)).toBe(true)
  })

  test('[P11] are ended by their user, at once and once', async () => {
    const [id, other] = [await testDelegation(app, 'usr_ada'), await testDelegation(app, 'usr_ada', { agent: 'other' })]
    const ended = await ada().run(end, { id })
    expect(ended).toEqual({
      status: 200,
      data: { revokeDelegation: { id, agent: 'assistant', revokedAt: expect.stringMatching(/Z$/) } },
      errors: [],
    })
    expect(await revocations()).toEqual([{ delegation: id, reason: 'USER' }])
    expect(await inForce(other)).toBe(true)
    expect(await ada().run(end, { id })).toEqual(ended)
    expect(await revocations()).toHaveLength(1)
  })

  test('[P7] [P11] of somebody else are not ended: it is as if they did not exist', async () => {
    const id = await testDelegation(app, 'usr_ben')
    const nobodys = { status: 200, data: { revokeDelegation: null }, errors: [] }
    expect(await ada().run(end, { id })).toEqual(nobodys)
    expect(await ada().run(end, { id: 'dlg_unknown' })).toEqual(nobodys)
    expect(await inForce(id)).toBe(true)
    expect(await revocations()).toEqual([])
  })

  test('that are over are shown as they are', async () => {
    const id = await testDelegation(app, 'usr_ada', { expiresIn: '-1 second' })
    expect((await ada().run(end, { id })).data).toEqual({
      revokeDelegation: { id, agent: 'assistant', revokedAt: null },
    })
    expect(await revocations()).toEqual([])
    expect(idsOf(await ada().run(list))).toEqual([id])
  })

  test('are at most as many as were asked for, 100 at most', async () => {
    for (let made = 0; made < 3; made++) await testDelegation(app, 'usr_ada')
    expect(idsOf(await ada().run(list, { first: 2 }))).toHaveLength(2)
    expect((await ada().run(list, { first: 101 })).errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT' } }])
  })
})
