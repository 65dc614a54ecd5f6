import { defineLoader, oneByKey, scalars, type SubgraphContext } from '@behalf/subgraph'
import {
  approvalById,
  approvalsOf,
  auditEvents,
  delegationById,
  delegationsOf,
  resolveApproval,
  revokeDelegation,
} from '@behalf/subgraph/trust'
import type { Database } from './database.ts'
import type { Resolvers } from './generated/schema.ts'

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
    viewer: (_root, _arguments, { identity }) => ({ id: identity.subject }),
    user: (_root, { id }, context) => users(context).load(id),
    approval: (_root, { id }, context) => approvalById(id, context),
  },
  Mutation: {
    revokeDelegation: (_root, { id }, context) => revokeDelegation(id, context),
    resolveApproval: (_root, given, context) => resolveApproval(given, context),
  },
  User: {
    // The row and not its key alone: with the tenant, without which nobody is shown to support.
    __resolveReference: ({ id }, context) => users(context).load(id),
    name: column('name'),
    email: column('email'),
    tenant: column('tenant'),
    tier: column('tier'),
    delegations: (user, page, context) => delegationsOf(user.id, page, context),
    approvals: (user, asked, context) => approvalsOf(user.id, asked, context),
    auditEvents,
  },
  Approval: {
    __resolveReference: ({ id }, context) => approvalById(id, context),
    delegation: ({ delegationId }, _arguments, context) => delegationById(delegationId, context),
  },
} satisfies Resolvers
