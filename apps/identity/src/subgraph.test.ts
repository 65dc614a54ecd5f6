import { authoritySchema } from '@behalf/authority'
import { testSubgraph, type TestSubgraph } from '@behalf/testing'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Database } from './database.ts'
import { identity } from './subgraph.ts'

const me = '{ viewer { id name email tenant tier } }'
const someone = 'query ($id: ID!) { user(id: $id) { id name } }'
const entity = 'query ($of: [_Any!]!) { _entities(representations: $of) { ... on User { id name email } } }'
const adaAsEntity = { of: [{ __typename: 'User', id: 'usr_ada' }] }

describe('identity', () => {
  let app: TestSubgraph<Database>

  beforeAll(async () => {
    app = await testSubgraph<Database>(identity, { beside: [authoritySchema] })
    await app.admin
      .insertInto('users')
      .values([
        { id: 'usr_ada', tenant: 'acme', name: 'Ada', email: 'ada@acme.example', tier: 'premium' },
        { id: 'usr_ben', tenant: 'acme', name: 'Ben', email: 'ben@acme.example', tier: 'basic' },
        { id: 'usr_chloe', tenant: 'globex', name: 'Chloe', email: 'chloe@globex.example', tier: 'premium' },
        { id: 'usr_sam', tenant: 'acme', name: 'Sam', email: 'sam@acme.example', tier: 'support' },
      ])
      .execute()
  })
  afterAll(() => app?.close())

  const support = (tenant = 'acme') => app.as('sam', { tenant, scopes: ['profile', 'users:read'] })

  test('a signed-in caller sees who they are', async () => {
    expect(await app.as('ada', { scopes: ['profile'] }).run(me)).toMatchObject({
      data: { viewer: { id: 'usr_ada', name: 'Ada', email: 'ada@acme.example', tenant: 'acme', tier: 'premium' } },
      errors: [],
    })
  })

  test('viewer { id } needs no scope, everything else needs profile', async () => {
    expect(await app.as('ada').run('{ viewer { id } }')).toMatchObject({
      data: { viewer: { id: 'usr_ada' } },
      errors: [],
    })
    const { data, errors } = await app.as('ada').run(me)
    expect(data).toEqual({ viewer: { id: 'usr_ada', name: null, email: null, tenant: null, tier: null } })
    expect(errors.map(({ extensions }) => extensions.code)).toEqual(Array(4).fill('UNAUTHORIZED_FIELD_OR_TYPE'))
  })

  test('nobody is nobody', async () => {
    const { data, errors } = await app.anonymous().run('{ viewer { id } }')
    expect(data).toEqual({ viewer: null })
    expect(errors).toMatchObject([{ extensions: { code: 'UNAUTHENTICATED' } }])
  })

  describe('user(id:)', () => {
    test('shows support the users of their tenant', async () => {
      expect((await support().run(someone, { id: 'usr_ben' })).data).toEqual({ user: { id: 'usr_ben', name: 'Ben' } })
    })

    test('shows support nobody of another tenant, just as if there were none', async () => {
      const foreign = await support().run(someone, { id: 'usr_chloe' })
      expect(foreign).toEqual(await support().run(someone, { id: 'usr_nobody' }))
      expect(foreign).toMatchObject({ data: { user: null }, errors: [] })
      expect((await support('globex').run(someone, { id: 'usr_chloe' })).data).toMatchObject({
        user: { name: 'Chloe' },
      })
    })

    test('shows customers nobody, themselves included', async () => {
      for (const id of ['usr_ada', 'usr_ben']) {
        const { data, errors } = await app.as('ada', { scopes: ['profile'] }).run(someone, { id })
        expect(data).toEqual({ user: null })
        expect(errors).toMatchObject([{ extensions: { code: 'UNAUTHORIZED_FIELD_OR_TYPE' } }])
      }
    })

    test('lets an agent of support name nobody else', async () => {
      const agent = support().agent({ tool: 'look_up' })
      const { data, errors } = await agent.run(someone, { id: 'usr_ben' })
      expect(data?.['user'] ?? null).toBeNull()
      expect(errors).not.toEqual([])
    })
  })

  describe('as an entity', () => {
    test('a user is their own', async () => {
      const { data } = await app.as('ada', { scopes: ['profile'] }).run(entity, adaAsEntity)
      expect(data).toEqual({ _entities: [{ id: 'usr_ada', name: 'Ada', email: 'ada@acme.example' }] })
    })

    test('of the same tenant is not shown to another customer', async () => {
      const { data } = await app.as('ben', { scopes: ['profile'] }).run(entity, adaAsEntity)
      expect(JSON.stringify(data)).not.toMatch(/Ada|acme\.example/)
    })

    test('of the same tenant is not shown to an agent of support', async () => {
      const { data } = await support().agent({ tool: 'look_up' }).run(entity, adaAsEntity)
      expect(JSON.stringify(data)).not.toMatch(/Ada|acme\.example/)
      expect(JSON.stringify((await support().run(entity, adaAsEntity)).data)).toContain('Ada')
    })

    test('[P7] is shown to support of their tenant, and of no other', async () => {
      const of = ['usr_ada', 'usr_chloe', 'usr_nobody'].map((id) => ({ __typename: 'User', id }))
      const { data, errors } = await support().run(entity, { of })
      expect(data).toMatchObject({ _entities: [{ id: 'usr_ada', name: 'Ada' }, null, null] })
      expect(errors).toEqual([])
    })
  })

  test('the database lets this app read and change nothing', async () => {
    const { rows } = await sql`
      select has_table_privilege('identity', 'identity.users', 'select') as reads,
        has_table_privilege('identity', 'identity.users', 'insert, update, delete, truncate') as writes
    `.execute(app.admin)
    expect(rows).toEqual([{ reads: true, writes: false }])
  })
})
