import { AppError } from '@behalf/identity'
import { defineLoader, oneByKey, pageSize, scalars, type SubgraphContext } from '@behalf/subgraph'
import { approvalsOf, delegationsOf, resolveApproval, revokeDelegation, type Resolution } from '@behalf/subgraph/trust'
import type { Database } from './database.ts'

type Context = SubgraphContext<Database>
type Patient = { readonly id: string }

/** All that are asked for in one request, in one query. */
const patients = defineLoader(async (ids: readonly string[], { db }: Context) => {
  const rows = await db
    .selectFrom('patients')
    .select(['id', 'name', 'practice', 'practice as tenant'])
    .where('id', 'in', ids)
    .execute()
  return oneByKey(ids, rows, ({ id }) => id)
})

/** `tenant` is what doctors of the same practice are recognised by. */
const columns = ['id', 'patient', 'practice as tenant', 'at', 'reason'] as const

export const resolvers = {
  DateTime: scalars.DateTime,
  Query: {
    me: (_root: unknown, _arguments: unknown, context: Context) => patients(context).load(context.identity.subject),
    patient: (_root: unknown, { id }: Patient, context: Context) => patients(context).load(id),
  },
  Mutation: {
    // Whose it is, and of which practice, the table says: the caller's.
    bookAppointment: (_root: unknown, { at, reason }: { at: Date; reason: string }, { db }: Context) => {
      if (reason.length < 1 || reason.length > 200)
        throw new AppError('BAD_USER_INPUT', '"reason" has 1 to 200 characters.')
      return db.insertInto('appointments').values({ at, reason }).returning(columns).executeTakeFirstOrThrow()
    },
    resolveApproval: (_root: unknown, resolution: Resolution, context: Context) => resolveApproval(resolution, context),
    revokeDelegation: (_root: unknown, { id }: { id: string }, context: Context) => revokeDelegation(id, context),
  },
  Patient: {
    __resolveReference: ({ id }: Patient, context: Context) => patients(context).load(id),
    // Whose appointments are meant, not who may see them: that the database says, and the type's @owner again.
    appointments: ({ id }: Patient, { first }: { first?: number | null }, { db }: Context) =>
      db
        .selectFrom('appointments')
        .select(columns)
        .where('patient', '=', id)
        .orderBy('at')
        .orderBy('id')
        .limit(pageSize(first))
        .execute(),
    approvals: ({ id }: Patient, asked: Parameters<typeof approvalsOf>[1], context: Context) =>
      approvalsOf(id, asked, context),
    delegations: ({ id }: Patient, page: { first?: number | null }, context: Context) =>
      delegationsOf(id, page, context),
  },
}
