import { attackSubgraph } from '@behalf/testing'
import type { Database } from './database.ts'
import { authority } from './delegation-fixture.ts'
import { identity } from './subgraph.ts'

attackSubgraph<Database>({
  name: 'identity',
  create: identity,
  migrations: new URL('../migrations', import.meta.url),
  beside: [authority],
  mine: 'ada',
  theirs: 'ben',
  claims: { scopes: ['profile', 'delegations:manage'] },
  prepare: ({ admin }) =>
    admin
      .insertInto('users')
      .values({ id: 'usr_ada', tenant: 'acme', name: 'Ada', email: 'ada@acme.example', tier: 'premium' })
      .execute(),
  query: {
    query: '{ _entities(representations: [{ __typename: "User", id: "usr_ada" }]) { ... on User { id name } } }',
    shows: 'Ada',
  },
  mutation: { query: 'mutation { revokeDelegation(id: "dlg_unknown") { id } }' },
})
