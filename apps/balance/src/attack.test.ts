import { attackSubgraph } from '@behalf/testing'
import type { Database } from './database.ts'
import { balance } from './subgraph.ts'

attackSubgraph<Database>({
  name: 'balance',
  create: balance,
  migrations: new URL('../migrations', import.meta.url),
  mine: 'ada',
  theirs: 'ben',
  claims: { scopes: ['balance:read'] },
  prepare: ({ admin }) =>
    admin
      .insertInto('accounts')
      .values({ id: 'acc_ada1', user_id: 'usr_ada', currency: 'EUR', balance: '1250.00' })
      .execute(),
  query: {
    query: `{
      _entities(representations: [{ __typename: "User", id: "usr_ada" }]) { ... on User { balance { amount } } }
    }`,
    shows: '1250.00',
  },
})
