import {
  defineLoader,
  oneByKey,
  pageSize,
  readConnection,
  scalars,
  type ConnectionArguments,
  type Page,
  type SubgraphContext,
} from '@behalf/subgraph'
import type { Database } from './database.ts'
import { payeeOf, transfer, type TransferInput } from './transfer.ts'

type Context = SubgraphContext<Database>
type Reference = { readonly id: string }

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
    transfer: (_root: unknown, { input }: { input: TransferInput }, context: Context) => transfer(input, context),
  },
  Transfer: {
    payee: (made: { payeeId: string }, _arguments: unknown, context: Context) => payeeOf(made, context),
  },
  User: {
    __resolveReference: ({ id }: Reference): Reference => ({ id }),
    balance: (user: Reference, _arguments: unknown, context: Context) => balances(context).load(user.id),
    transactions: (user: Reference, page: ConnectionArguments, { db }: Context) =>
      readConnection(
        page,
        (wanted) => entriesOf(db, user.id, wanted),
        (entry) => ({ at: entry.bookedAt, id: entry.id }),
      ),
    payees: (user: Reference, { first }: Pick<ConnectionArguments, 'first'>, { db }: Context) =>
      db
        .selectFrom('payees')
        .select(['id', 'user_id as userId', 'name'])
        .where('user_id', '=', user.id)
        .orderBy('name')
        .orderBy('id')
        .limit(pageSize(first))
        .execute(),
  },
}
