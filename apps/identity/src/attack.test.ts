import { authoritySchema } from '@behalf/authority'
import { attackSubgraph, testApproval, testDelegation } from '@behalf/testing'
import { sql } from 'kysely'
import type { Database } from './database.ts'
import { identity } from './subgraph.ts'

attackSubgraph<Database>(identity, {
  mine: 'ada',
  theirs: 'ben',
  beside: [authoritySchema],
  async prepare(app, { name, subject, tenant }) {
    await app.admin
      .insertInto('users')
      .values({ id: subject, tenant, name, email: `${name}@acme.example`, tier: 'premium' })
      .execute()
    await testApproval(app, await testDelegation(app, subject), { summary: `Cancel the order of ${name}` })
    await sql`
      insert into behalf.audit_event (source, at, subject, what, target, outcome)
      values ('gateway', now(), ${subject}, 'field.denied', ${`field of ${name}`}, 'UNAUTHENTICATED')
    `.execute(app.admin)
  },
})
