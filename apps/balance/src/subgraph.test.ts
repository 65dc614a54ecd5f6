import { testSubgraph, type TestCaller, type TestClaims, type TestSubgraph } from '@behalf/testing'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Database } from './database.ts'
import { balance } from './subgraph.ts'

const everything = `query ($of: [_Any!]!, $first: Int, $after: String) {
  _entities(representations: $of) {
    ... on User {
      balance { amount currency }
      transactions(first: $first, after: $after) {
        edges { node { id amount currency balanceAfter kind description counterparty bookedAt } }
        pageInfo { hasNextPage endCursor }
      }
      payees { id name }
    }
  }
}`
const user = (...ids: string[]) => ({ of: ids.map((id) => ({ __typename: 'User', id })) })

interface Seen {
  balance: { amount: string; currency: string } | null
  transactions: {
    edges: { node: { id: string; balanceAfter: string } }[]
    pageInfo: { hasNextPage: boolean; endCursor: string }
  }
  payees: { id: string; name: string }[]
}

async function see(caller: TestCaller, of: string, variables: Record<string, unknown> = {}): Promise<Seen> {
  const { data, errors } = await caller.run(everything, { ...user(of), ...variables })
  expect(errors).toEqual([])
  const { _entities: entities } = data as { _entities: [Seen] }
  return entities[0]
}

describe('balance', () => {
  let app: TestSubgraph<Database>
  const as = (name: string, claims: TestClaims = {}) => app.as(name, { scopes: ['balance:read'], ...claims })
  const now = () => Math.floor(Date.now() / 1000)

  beforeAll(async () => {
    app = await testSubgraph<Database>(balance)
    await app.admin
      .insertInto('accounts')
      .values([
        { id: 'acc_ada1', user_id: 'usr_ada', currency: 'EUR', balance: '999999999999999999.99' },
        { id: 'acc_ben1', user_id: 'usr_ben', currency: 'EUR', balance: '25.00' },
      ])
      .execute()
    const entries = Array.from({ length: 12 }, (_, index) => ({
      id: `ent_ada${String(index).padStart(2, '0')}`,
      account_id: 'acc_ada1',
      amount: index === 0 ? '999999999999999987.99' : '1.00',
      balance_after: `9999999999999999${88 + index - (index ? 0 : 1)}.99`,
      kind: 'DEPOSIT' as const,
      description: 'Top-up by card',
      counterparty: null,
      transfer: null,
      // Four of each moment, so that only the id tells them apart.
      booked_at: new Date(Date.UTC(2026, 0, 1 + Math.floor(index / 4))),
    }))
    await app.admin.insertInto('entries').values(entries).execute()
    await app.admin
      .insertInto('entries')
      .values({
        id: 'ent_ben1',
        account_id: 'acc_ben1',
        amount: '25.00',
        balance_after: '25.00',
        kind: 'TRANSFER',
        description: 'Dinner',
        counterparty: 'Ada',
        transfer: 'trf_0001',
        booked_at: new Date(Date.UTC(2026, 0, 5)),
      })
      .execute()
    await app.admin
      .insertInto('payees')
      .values([
        { id: 'pay_ada1', user_id: 'usr_ada', name: 'Ben', account_id: 'acc_ben1' },
        { id: 'pay_ben1', user_id: 'usr_ben', name: 'Ada', account_id: 'acc_ada1' },
      ])
      .execute()
  })
  afterAll(() => app?.close())

  test('shows my own account, to the cent', async () => {
    expect(await see(as('ben'), 'usr_ben')).toEqual({
      balance: { amount: '25.00', currency: 'EUR' },
      transactions: {
        edges: [
          {
            node: {
              id: 'ent_ben1',
              amount: '25.00',
              currency: 'EUR',
              balanceAfter: '25.00',
              kind: 'TRANSFER',
              description: 'Dinner',
              counterparty: 'Ada',
              bookedAt: '2026-01-05T00:00:00.000Z',
            },
          },
        ],
        pageInfo: { hasNextPage: false, endCursor: expect.any(String) },
      },
      payees: [{ id: 'pay_ben1', name: 'Ada' }],
    })
    expect((await see(as('ada'), 'usr_ada')).balance?.amount).toBe('999999999999999999.99')
  })

  test("[P7] shows nothing of another user's, to support of the tenant neither", async () => {
    for (const caller of [as('ben'), app.as('sam', { scopes: ['balance:read', 'users:read'] })]) {
      expect(await caller.run(everything, user('usr_ada'))).toMatchObject({ data: { _entities: [null] }, errors: [] })
    }
  })

  test('tells several users apart', async () => {
    const { data } = await as('ben').run(everything, user('usr_ada', 'usr_ben', 'usr_nobody'))
    const { _entities: entities } = data as { _entities: (Seen | null)[] }
    const [ada, ben, nobody] = entities
    expect(ada?.balance ?? null).toBeNull()
    expect(nobody?.balance ?? null).toBeNull()
    expect(ben?.balance).toEqual({ amount: '25.00', currency: 'EUR' })
  })

  test('someone without an account has nothing', async () => {
    expect(await see(as('sam'), 'usr_sam')).toMatchObject({ balance: null, transactions: { edges: [] }, payees: [] })
  })

  test('every field needs the scope', async () => {
    const { data, errors } = await app.as('ada').run(everything, user('usr_ada'))
    expect(data).toEqual({ _entities: [{ balance: null, transactions: null, payees: null }] })
    expect(errors.map(({ extensions }) => extensions.code)).toEqual(Array(3).fill('UNAUTHORIZED_FIELD_OR_TYPE'))
  })

  test('pages through all transactions, newest first, each once', async () => {
    const seen: string[] = []
    let after: string | null = null
    do {
      const { transactions }: Seen = await see(as('ada'), 'usr_ada', { first: 5, after })
      seen.push(...transactions.edges.map(({ node }) => node.id))
      after = transactions.pageInfo.hasNextPage ? transactions.pageInfo.endCursor : null
    } while (after !== null)
    expect(seen).toEqual(Array.from({ length: 12 }, (_, index) => `ent_ada${String(11 - index).padStart(2, '0')}`))
  })

  test.each([{ first: 0 }, { first: 101 }, { after: 'garbage' }])('refuses %j', async (variables) => {
    const { data, errors } = await as('ada').run(everything, { ...user('usr_ada'), ...variables })
    expect(data).toMatchObject({ _entities: [{ transactions: null, payees: [{ name: 'Ben' }] }] })
    expect(errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT' } }])
  })

  test('[P6] payees are for those who signed in within the hour', async () => {
    const { data, errors } = await as('ada', { authTime: now() - 3660 }).run(everything, user('usr_ada'))
    expect(data).toMatchObject({ _entities: [{ balance: { currency: 'EUR' }, payees: null }] })
    expect(errors).toMatchObject([
      { path: ['_entities', 0, 'payees'], extensions: { code: 'STEP_UP_REQUIRED', maxAge: 3600 } },
    ])
    expect((await as('ada', { authTime: null }).run(everything, user('usr_ada'))).errors).toHaveLength(1)
    expect((await as('ada', { authTime: now() - 3540 }).run(everything, user('usr_ada'))).errors).toEqual([])
  })

  test('payees are at most 100', async () => {
    const payees =
      'query ($of: [_Any!]!) { _entities(representations: $of) { ... on User { payees(first: 101) { id } } } }'
    expect((await as('ada').run(payees, user('usr_ada'))).errors).toMatchObject([
      { extensions: { code: 'BAD_USER_INPUT' } },
    ])
    const one = payees.replace('101', '1')
    expect((await as('ada').run(one, user('usr_ada'))).errors).toEqual([])
  })

  describe('the database', () => {
    test('lets this app read and change nothing', async () => {
      for (const table of ['accounts', 'entries', 'payees']) {
        const { rows } = await sql`
          select has_any_column_privilege('balance', ${`balance.${table}`}, 'select') as reads,
            has_table_privilege('balance', ${`balance.${table}`}, 'insert, update, delete, truncate') as writes
        `.execute(app.admin)
        expect(rows).toEqual([{ reads: true, writes: false }])
      }
    })

    test('lets no account be overdrawn, whoever asks', async () => {
      const set = (amount: string) =>
        app.admin.updateTable('accounts').set({ balance: amount }).where('user_id', '=', 'usr_ben').execute()
      await expect(set('-0.01')).rejects.toThrow('accounts_balance_check')
      await set('25.00')
    })
  })
})
