import { defineLoader, oneByKey, scalars, type SubgraphContext } from '@behalf/subgraph'
import {
  approvalById,
  approvalsOf,
  auditEvents,
  delegationById,
  delegationsOf,
  resolveApproval,
  revokeDelegation,
  type Resolution,
} from '@behalf/subgraph/trust'
import type { Database } from './database.ts'

type Context = SubgraphContext<Database>
type Row = Database['users']

/** A user as `viewer` names one; what else is known is read when it is asked for. */
type User = Pick<Row, 'id'>

const users = defineLoader(async (ids: readonly string[], { db }: Context) => {
  const rows = await db
    .selectFrom('users')
    .select(['id', 'tenant', 'name', 'email', 'tier'])
    .where('id', 'in', ids)
    .execute()
  return oneByKey(ids, rows, ({ id }) => id)
})

const column =
  <Name extends keyof Row>(name: Name) =>
  async (user: User, _arguments: unknown, context: Context) =>
    (await users(context).load(user.id))?.[name] ?? null

export const resolvers = {
  DateTime: scalars.DateTime,
  Query: {
    viewer: (_root: unknown, _arguments: unknown, { identity }: Context): User => ({ id: identity.subject }),
    user: (_root: unknown, { id }: { id: string }, context: Context): Promise<User | null> => users(context).load(id),
    approval: (_root: unknown, { id }: { id: string }, context: Context) => approvalById(id, context),
  },
  Mutation: {
    revokeDelegation: (_root: unknown, { id }: { id: string }, context: Context) => revokeDelegation(id, context),
    resolveApproval: (_root: unknown, given: Resolution, context: Context) => resolveApproval(given, context),
  },
  User: {
    // The row and not its key alone: with the tenant, without which nobody is shown to support.
    __resolveReference: ({ id }: User, context: Context): Promise<User | null> => users(context).load(id),
    name: column('name'),
    email: column('email'),
    tenant: column('tenant'),
    tier: column('tier'),
    delegations: (user: User, page: { first?: number | null }, context: Context) =>
      delegationsOf(user.id, page, context),
    approvals: (user: User, asked: Parameters<typeof approvalsOf>[1], context: Context) =>
      approvalsOf(user.id, asked, context),
    auditEvents,
  },
  Approval: {
    __resolveReference: ({ id }: { id: string }, context: Context) => approvalById(id, context),
    delegation: ({ delegationId }: { delegationId: string }, _arguments: unknown, context: Context) =>
      delegationById(delegationId, context),
  },
}
