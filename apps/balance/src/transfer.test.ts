import { testSubgraph, type TestClaims, type TestSubgraph } from '@behalf/testing'
import { sql } from 'kysely'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Database } from './database.ts'
import { balance } from './subgraph.ts'

const transfer = `mutation ($payeeId: ID!, $amount: Decimal!, $key: String) {
  transfer(input: { payeeId: $payeeId, amount: $amount, idempotencyKey: $key }) {
    id amount currency balanceAfter payee { id name }
  }
}`
let keys = 0
const newKey = () => `key-${++keys}`
const people = ['ada', 'ben', 'zoe'] as const

describe('transfer', () => {
  let app: TestSubgraph<Database>
  beforeAll(async () => {
    app = await testSubgraph<Database>(balance, { allow: { allow: ['transfer_to_payee'] } })
  })
  beforeEach(async () => {
    await sql`truncate transfers, payees, entries, accounts, behalf.performed`.execute(app.admin)
    await app.admin
      .insertInto('accounts')
      .values(
        people.map((name) => ({
          id: `acc_${name}1`,
          user_id: `usr_${name}`,
          currency: name === 'zoe' ? 'USD' : 'EUR',
          balance: '100.00',
        })),
      )
      .execute()
    await app.admin
      .insertInto('entries')
      .values(
        people.map((name) => ({
          id: `ent_${name}1`,
          account_id: `acc_${name}1`,
          amount: '100.00',
          balance_after: '100.00',
          kind: 'DEPOSIT' as const,
          description: 'First deposit',
          counterparty: null,
          transfer: null,
          // Later than now, as where clocks differ: what comes is booked after it.
          booked_at: new Date(Date.now() + 60_000),
        })),
      )
      .execute()
    await app.admin
      .insertInto('payees')
      .values([
        { id: 'pay_ben1', user_id: 'usr_ada', name: 'Ben', account_id: 'acc_ben1' },
        { id: 'pay_ada1', user_id: 'usr_ben', name: 'Ada', account_id: 'acc_ada1' },
        { id: 'pay_own1', user_id: 'usr_ada', name: 'Me', account_id: 'acc_ada1' },
        { id: 'pay_zoe1', user_id: 'usr_ada', name: 'Zoe', account_id: 'acc_zoe1' },
      ])
      .execute()
  })
  afterAll(() => app?.close())

  const as = (name: string, claims: TestClaims = {}) =>
    app.as(name, { scopes: ['balance:read', 'balance:transfer'], ...claims })
  const send = (amount: string, change: { by?: string; payeeId?: string; key?: string | null } = {}) =>
    as(change.by ?? 'ada').run(transfer, {
      payeeId: change.payeeId ?? 'pay_ben1',
      amount,
      key: change.key === undefined ? newKey() : change.key,
    })
  const balances = async () =>
    Object.fromEntries(
      (await app.admin.selectFrom('accounts').select(['user_id', 'balance']).orderBy('user_id').execute()).map(
        ({ user_id, balance: held }) => [user_id, held],
      ),
    )
  const untouched = { usr_ada: '100.00', usr_ben: '100.00', usr_zoe: '100.00' }
  /** Accounts of which entries do not add up to what they hold, or do not run along it; and transfers with one side. */
  async function faults() {
    const { rows } = await sql`
      select a.id from accounts a where a.balance <> (select sum(e.amount) from entries e where e.account_id = a.id)
      union all
      select id from (select e.id, balance_after, sum(amount) over (partition by account_id order by booked_at, id) as running
        from entries e) run where balance_after <> running
      union all
      select transfer from entries where transfer is not null group by transfer having sum(amount) <> 0 or count(*) <> 2
    `.execute(app.admin)
    return rows
  }
  const codeOf = ({ errors }: Awaited<ReturnType<typeof send>>) => errors[0]?.extensions.code ?? 'OK'

  test('moves money to one of the caller’s payees, with an entry on both sides', async () => {
    expect(await send('30.50')).toEqual({
      status: 200,
      data: {
        transfer: {
          id: expect.stringMatching(/^trf_/),
          amount: '30.50',
          currency: 'EUR',
          balanceAfter: '69.50',
          payee: { id: 'pay_ben1', name: 'Ben' },
        },
      },
      errors: [],
    })
    expect(await balances()).toEqual({ ...untouched, usr_ada: '69.50', usr_ben: '130.50' })
    const booked = await app.admin
      .selectFrom('entries')
      .select(['account_id', 'amount', 'balance_after', 'counterparty'])
      .where('kind', '=', 'TRANSFER')
      .orderBy('account_id')
      .execute()
    expect(booked).toEqual([
      { account_id: 'acc_ada1', amount: '-30.50', balance_after: '69.50', counterparty: 'Ben' },
      { account_id: 'acc_ben1', amount: '30.50', balance_after: '130.50', counterparty: 'Ada' },
    ])
    expect(await faults()).toEqual([])
  })

  test('[P13] of 50 at once, both ways: never below zero, and both ledgers add up', async () => {
    const outcomes = await Promise.all(
      Array.from({ length: 50 }, (_, index) => send('7.00', index % 5 === 0 ? { by: 'ben', payeeId: 'pay_ada1' } : {})),
    )
    const codes = outcomes.map(codeOf)
    expect(new Set(codes)).toEqual(new Set(['OK', 'INSUFFICIENT_FUNDS']))
    const moved = (name: string) =>
      outcomes.filter((outcome, index) => codeOf(outcome) === 'OK' && (index % 5 === 0) === (name === 'ben')).length
    const held = 100 - 7 * moved('ada') + 7 * moved('ben')
    expect(await balances()).toEqual({
      ...untouched,
      usr_ada: held.toFixed(2),
      usr_ben: (200 - held).toFixed(2),
    })
    expect(held).toBeGreaterThanOrEqual(0)
    expect(await faults()).toEqual([])
  })

  test('[P13] of one key happens once, of 50 at once', async () => {
    const key = newKey()
    const outcomes = await Promise.all(Array.from({ length: 50 }, () => send('5.00', { key })))
    expect(outcomes.filter((outcome) => codeOf(outcome) !== 'OK')).toEqual([])
    expect(new Set(outcomes.map(({ data }) => JSON.stringify(data))).size).toBe(1)
    expect(await balances()).toEqual({ ...untouched, usr_ada: '95.00', usr_ben: '105.00' })
    expect(codeOf(await send('6.00', { key }))).toBe('IDEMPOTENCY_MISMATCH')
    expect(codeOf(await send('5.00', { key, payeeId: 'pay_own1' }))).toBe('IDEMPOTENCY_MISMATCH')
    // A key is the caller's own.
    expect(codeOf(await send('5.00', { key, by: 'ben', payeeId: 'pay_ada1' }))).toBe('OK')
    expect(await faults()).toEqual([])
  })

  test('[P7] goes to payees of the caller’s own, and to nobody else', async () => {
    for (const payeeId of ['pay_ada1', 'pay_none', 'acc_ben1', 'usr_ben'])
      expect(await send('1.00', { payeeId })).toEqual({ status: 200, data: { transfer: null }, errors: [] })
    expect(await balances()).toEqual(untouched)
    expect(codeOf(await send('1.00'))).toBe('OK')
  })

  test.each(['0.00', '-1.00', '0.001', '1000000000000000000.00'])('refuses an amount of %s', async (amount) => {
    expect(codeOf(await send(amount))).toBe('BAD_USER_INPUT')
    expect(await balances()).toEqual(untouched)
  })

  test('is for what the account holds, to the cent', async () => {
    expect(codeOf(await send('100.01'))).toBe('INSUFFICIENT_FUNDS')
    expect(codeOf(await send('100.00'))).toBe('OK')
    expect(await balances()).toMatchObject({ usr_ada: '0.00', usr_ben: '200.00' })
  })

  test('neither to oneself nor into another currency', async () => {
    for (const payeeId of ['pay_own1', 'pay_zoe1'])
      expect(codeOf(await send('1.00', { payeeId }))).toBe('BAD_USER_INPUT')
    expect(await balances()).toEqual(untouched)
  })

  test('[P9] of an agent takes an approval of this field, and its call is the key', async () => {
    const agent = as('ada').agent({ tool: 'transfer', call: 'call_1' })
    const variables = { payeeId: 'pay_ben1', amount: '10.00' }
    for (const caller of [agent, agent.approved('cancelOrder')])
      expect(codeOf(await caller.run(transfer, variables))).toBe('APPROVAL_REQUIRED')
    const first = await agent.approved('transfer').run(transfer, variables)
    expect(codeOf(first)).toBe('OK')
    expect(await agent.approved('transfer').run(transfer, variables)).toEqual(first)
    expect(await balances()).toEqual({ ...untouched, usr_ada: '90.00', usr_ben: '110.00' })
    // A person is not spared a key.
    expect(codeOf(await send('1.00', { key: null }))).toBe('BAD_USER_INPUT')
  })

  test('[P6] needs the scope for it', async () => {
    const without = as('ada', { scopes: ['balance:read'] })
    expect(codeOf(await without.run(transfer, { payeeId: 'pay_ben1', amount: '1.00', key: newKey() }))).toBe(
      'UNAUTHORIZED_FIELD_OR_TYPE',
    )
    expect(await balances()).toEqual(untouched)
  })
})
