import { pageSize, scalars, type SubgraphContext } from '@behalf/subgraph'
import type { Database } from './database.ts'

type Context = SubgraphContext<Database>
type Reference = { readonly id: string; readonly practice?: string | null }

export const resolvers = {
  ...scalars,
  Patient: {
    // `tenant` is what doctors of the same practice are recognised by; the gateway brings it from the practice's subgraph.
    __resolveReference: ({ id, practice }: Reference) => ({ id, tenant: practice }),
    results: ({ id }: Reference, { first }: { first?: number | null }, { db }: Context) =>
      db
        .selectFrom('results')
        .select(['id', 'patient', 'practice as tenant', 'taken_at as takenAt', 'test', 'value', 'unit'])
        .where('patient', '=', id)
        .orderBy('taken_at', 'desc')
        .orderBy('id', 'desc')
        .limit(pageSize(first))
        .execute(),
  },
}
