import {
  defineLoader,
  oneByKey,
  pageSize,
  readConnection,
  scalars,
  type Page,
  type SubgraphContext,
} from '@behalf/subgraph'
import type { Database } from './database.ts'
import type { Resolvers } from './generated/schema.ts'
import { payeeOf, transfer } from './transfer.ts'

type Context = SubgraphContext<Database>

const balances = defineLoader(async (userIds: readonly string[], { db }: Context) => {
  const rows = await db
    .selectFrom('accounts')
    .select(['user_id as userId', 'balance as amount', 'currency'])
    .where('user_id', 'in', userIds)
    .execute()
  return oneByKey(userIds, rows, ({ userId }) => userId)
})

/** One page of the entries of a user's account, newest first. */
function entriesOf(db: Context['db'], userId: string, { limit, position }: Page) {
  let query = db
    .selectFrom('entries')
    .innerJoin('accounts', 'accounts.id', 'entries.account_id')
    .select([
      'entries.id',
      'accounts.user_id as userId',
      'accounts.currency',
      'entries.amount',
      'entries.balance_after as balanceAfter',
      'entries.kind',
      'entries.description',
      'entries.counterparty',
      'entries.booked_at as bookedAt',
    ])
    // Whose account is meant, not who may see it: that row-level security says.
    .where('accounts.user_id', '=', userId)
  if (position) {
    query = query.where(({ eb, refTuple, tuple }) =>
      eb(refTuple('entries.booked_at', 'entries.id'), '<', tuple(position.at, position.id)),
    )
  }
  return query.orderBy('entries.booked_at', 'desc').orderBy('entries.id', 'desc').limit(limit).execute()
}

export const resolvers = {
  ...scalars,
  Mutation: {
    transfer: (_root, { input }, context) => transfer(input, context),
  },
  Transfer: {
    payee: (made, _arguments, context) => payeeOf(made, context),
  },
  User: {
    __resolveReference: ({ id }) => ({ id }),
    balance: (user, _arguments, context) => balances(context).load(user.id),
    transactions: (user, page, { db }) =>
      readConnection(
        page,
        (wanted) => entriesOf(db, user.id, wanted),
        (entry) => ({ at: entry.bookedAt, id: entry.id }),
      ),
    payees: (user, { first }, { db }) =>
      db
        .selectFrom('payees')
        .select(['id', 'user_id as userId', 'name'])
        .where('user_id', '=', user.id)
        .orderBy('name')
        .orderBy('id')
        .limit(pageSize(first))
        .execute(),
  },
} satisfies Resolvers
