import { attackSubgraph } from '@behalf/testing'
import type { Database } from './database.ts'
import { authority } from './delegation-fixture.ts'
import { identity } from './subgraph.ts'

attackSubgraph<Database>(identity, {
  mine: 'ada',
  theirs: 'ben',
  beside: [authority],
  prepare: ({ admin }, { name, subject, tenant }) =>
    admin
      .insertInto('users')
      .values({ id: subject, tenant, name, email: `${name}@acme.example`, tier: 'premium' })
      .execute(),
})
