import { attackSubgraph } from '@behalf/testing'
import type { Database } from './database.ts'
import { balance } from './subgraph.ts'

attackSubgraph<Database>(balance, {
  mine: 'ada',
  theirs: 'ben',
  // Moves money into the accounts of others: see migrations/002-transfer.sql.
  allow: { allow: ['transfer_to_payee'] },
  mutation: {
    query: 'mutation { transfer(input: { payeeId: "pay_ada1", amount: "1.00", idempotencyKey: "k" }) { id } }',
  },
  async prepare({ admin }, { name, subject }) {
    const account = `acc_${name}1`
    const amount = { ada: '1250.00', ben: '77.00' }[name] ?? '0.00'
    await admin
      .insertInto('accounts')
      .values({ id: account, user_id: subject, currency: 'EUR', balance: amount })
      .execute()
    // Whose payee is paid: somebody else, who is not asked about.
    const shop = `acc_shop${name}`
    await admin
      .insertInto('accounts')
      .values({ id: shop, user_id: `usr_shop_${name}`, currency: 'EUR', balance: '0.00' })
      .execute()
    await admin
      .insertInto('entries')
      .values({
        id: `ent_${name}1`,
        account_id: account,
        amount,
        balance_after: amount,
        kind: 'DEPOSIT',
        description: `savings of ${name}`,
        counterparty: null,
        transfer: null,
        booked_at: new Date(Date.UTC(2026, 0, 1)),
      })
      .execute()
    await admin
      .insertInto('payees')
      .values({ id: `pay_${name}1`, user_id: subject, name: `friend of ${name}`, account_id: shop })
      .execute()
  },
})
