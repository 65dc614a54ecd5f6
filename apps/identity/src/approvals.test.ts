import { authoritySchema } from '@behalf/authority'
import {
  type TestAnswer,
  testSubgraph,
  type TestSubgraph,
  testApproval,
  testDelegation,
  testArgumentsHash,
} from '@behalf/testing'
import { sql } from 'kysely'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Database } from './database.ts'
import { identity } from './subgraph.ts'

const list =
  'query ($first: Int, $state: ApprovalState) { viewer { approvals(first: $first, state: $state) { id state } } }'
const one = `query ($id: ID!) { approval(id: $id) {
  id summary tool argumentsHash agent createdAt expiresAt state delegation { id } } }`
const decide = `mutation ($id: ID!, $hash: String!, $decision: ApprovalDecision!) {
  resolveApproval(id: $id, argumentsHash: $hash, decision: $decision) { id state } }`

describe('approvals', () => {
  let app: TestSubgraph<Database>
  beforeAll(async () => {
    app = await testSubgraph<Database>(identity, { beside: [authoritySchema] })
  })
  beforeEach(() => sql`truncate authority.approval, authority.delegation, authority.revocation`.execute(app.admin))
  afterAll(() => app?.close())

  const scopes = ['approvals:decide', 'delegations:manage']
  const as = (name: string, held = scopes) => app.as(name, { scopes: held })
  const asked = async (options: Parameters<typeof testApproval>[2] = {}, name = 'ada') => {
    const delegation = await testDelegation(app, `usr_${name}`)
    return { delegation, id: await testApproval(app, delegation, options) }
  }
  const resolve = (id: string, { by = as('ada'), hash = testArgumentsHash, decision = 'APPROVE' } = {}) =>
    by.run(decide, { id, hash, decision })
  const refused = (code: string) => ({
    data: { resolveApproval: null },
    errors: [{ path: ['resolveApproval'], extensions: { code } }],
  })
  const stateOf = async (id: string) =>
    ((await as('ada').run(one, { id })).data as { approval: { state: string } | null }).approval?.state ?? null
  const idsOf = ({ data }: TestAnswer) =>
    (data as { viewer: { approvals: { id: string }[] | null } }).viewer.approvals?.map(({ id }) => id)

  test('[P9] are shown to whom they ask, and to nobody else', async () => {
    const { id, delegation } = await asked()
    expect(await as('ada').run(one, { id })).toEqual({
      status: 200,
      data: {
        approval: {
          id,
          summary: 'Cancel order "ord_1"',
          tool: 'cancel_order',
          argumentsHash: testArgumentsHash,
          agent: 'assistant',
          createdAt: expect.stringMatching(/Z$/),
          expiresAt: expect.stringMatching(/Z$/),
          state: 'PENDING',
          delegation: { id: delegation },
        },
      },
      errors: [],
    })
    for (const other of [as('ben'), as('sam', [...scopes, 'profile', 'users:read'])]) {
      expect((await other.run(one, { id })).data).toEqual({ approval: null })
      expect(idsOf(await other.run(list))).toEqual([])
    }
    expect(idsOf(await as('ada').run(list))).toEqual([id])
  })

  test('are listed by state, as many as asked for', async () => {
    const made = [await asked(), await asked({ expiresIn: '-1 second' }), await asked()]
    const [first, second, third] = made.map(({ id }) => id)
    await resolve(String(third), { decision: 'REJECT' })
    const idsIn = async (state: string) => idsOf(await as('ada').run(list, { state }))
    expect(await idsIn('PENDING')).toEqual([first])
    expect(await idsIn('EXPIRED')).toEqual([second])
    expect(await idsIn('REJECTED')).toEqual([third])
    expect(idsOf(await as('ada').run(list, { first: 2 }))).toHaveLength(2)
    expect((await as('ada').run(list, { first: 101 })).errors).toMatchObject([
      { extensions: { code: 'BAD_USER_INPUT' } },
    ])
  })

  test('[P9] are decided by the person they ask, once', async () => {
    const { id } = await asked()
    expect(await resolve(id)).toEqual({ status: 200, data: { resolveApproval: { id, state: 'APPROVED' } }, errors: [] })
    expect(await resolve(id)).toMatchObject(refused('APPROVAL_ALREADY_RESOLVED'))
    const { id: other } = await asked()
    expect((await resolve(other, { decision: 'REJECT' })).data).toEqual({
      resolveApproval: { id: other, state: 'REJECTED' },
    })
  })

  test('[P9] are not decided with another hash: each refusal leaves it as it was', async () => {
    const { id } = await asked()
    expect(await resolve(id, { hash: 'x'.repeat(43) })).toMatchObject(refused('APPROVAL_MISMATCH'))
    expect(await stateOf(id)).toBe('PENDING')
    expect((await resolve(id)).errors).toEqual([])
  })

  test('[P9] of somebody else are as if they did not exist', async () => {
    const { id } = await asked()
    const nobodys = await resolve('apr_unknown')
    expect(nobodys).toMatchObject(refused('APPROVAL_UNKNOWN'))
    expect(await resolve(id, { by: as('ben') })).toEqual(nobodys)
    expect(await stateOf(id)).toBe('PENDING')
  })

  test('[P8] [P9] are neither shown to an agent nor decided by one, approved or not', async () => {
    const { id } = await asked()
    const agent = as('ada').agent({ tool: 'approve' })
    for (const by of [agent, agent.approved('resolveApproval')]) {
      expect(await resolve(id, { by })).toMatchObject(refused('AGENT_DENIED'))
      expect(await by.run(one, { id })).toMatchObject({ errors: [{ extensions: { code: 'AGENT_DENIED' } }] })
    }
    expect(await stateOf(id)).toBe('PENDING')
  })

  test('[P6] need the scope for it', async () => {
    const { id } = await asked()
    expect(await resolve(id, { by: as('ada', ['profile', 'chat']) })).toMatchObject(
      refused('UNAUTHORIZED_FIELD_OR_TYPE'),
    )
    expect(await stateOf(id)).toBe('PENDING')
  })

  test('[P9] end with their time', async () => {
    const { id } = await asked({ expiresIn: '-1 second' })
    expect(await resolve(id)).toMatchObject(refused('APPROVAL_EXPIRED'))
    expect(await stateOf(id)).toBe('EXPIRED')
  })

  test('[P9] [P11] end with the delegation under which they are asked', async () => {
    const { id, delegation } = await asked()
    const { id: spared } = await asked()
    await as('ada').run('mutation ($id: ID!) { revokeDelegation(id: $id) { id } }', { id: delegation })
    expect(await resolve(id)).toMatchObject(refused('DELEGATION_ENDED'))
    expect(await stateOf(id)).toBe('EXPIRED')
    expect((await resolve(spared)).errors).toEqual([])
  })

  test('[P9] keep the ticket from whoever reads them', async () => {
    const { id } = await asked()
    await resolve(id)
    expect(await app.violations()).toEqual([])
    const { rows } =
      await sql`select ticket, resolver, resolved_in is not null as known from authority.approval`.execute(app.admin)
    expect(rows).toEqual([{ ticket: 'sealed', resolver: 'identity', known: true }])
    const may = await sql`
      select has_column_privilege('identity', 'authority.approval', 'ticket', 'select') as read,
        has_column_privilege('identity', 'authority.approval', 'summary', 'select') as twin`.execute(app.admin)
    expect(may.rows).toEqual([{ read: false, twin: true }])
  })
})
