import { defineLoader, manyByKey, oneByKey, type SubgraphContext } from '@behalf/subgraph'
import { activeStatuses, type Database } from './database.ts'
import type { Range } from './messages-page.ts'

export type Context = SubgraphContext<Database>

export const runColumns = [
  'id',
  'user_id as userId',
  'conversation_id as conversationId',
  'status',
  'backend_kind as backendKind',
  'backend_name as backendName',
  'error_code as errorCode',
  'retry_after_ms as retryAfterMs',
  'last_seq as lastSeq',
  'created_at as createdAt',
  'finished_at as finishedAt',
] as const

const messageColumns = ['id', 'run_id as runId', 'role', 'text', 'position', 'created_at as createdAt'] as const

export const conversationColumns = ['id', 'user_id as userId', 'title', 'created_at as createdAt'] as const

export const conversations = defineLoader(async (ids: readonly string[], { db }: Context) =>
  oneByKey(
    ids,
    await db.selectFrom('conversation').select(conversationColumns).where('id', 'in', ids).execute(),
    ({ id }) => id,
  ),
)

export const runs = defineLoader(async (ids: readonly string[], { db }: Context) =>
  oneByKey(ids, await db.selectFrom('run').select(runColumns).where('id', 'in', ids).execute(), ({ id }) => id),
)

export const activeRuns = defineLoader(async (conversationIds: readonly string[], { db }: Context) => {
  const rows = await db
    .selectFrom('run')
    .select(runColumns)
    .where('conversation_id', 'in', conversationIds)
    .where('status', 'in', activeStatuses)
    .execute()
  return oneByKey(conversationIds, rows, (row) => row.conversationId)
})

export const answers = defineLoader(async (runIds: readonly string[], { db }: Context) => {
  const rows = await db
    .selectFrom('message')
    .select(messageColumns)
    .where('run_id', 'in', runIds)
    .where('role', '=', 'ASSISTANT')
    .execute()
  return oneByKey(runIds, rows, (row) => row.runId)
})

const toolCallColumns = [
  'id',
  'run_id as runId',
  'tool',
  'arguments',
  'status',
  'result',
  'result_truncated as resultTruncated',
  'error_code as errorCode',
  'started_at as startedAt',
  'finished_at as finishedAt',
  'approval_id as approval',
] as const

export const toolCalls = defineLoader(async (runIds: readonly string[], { db }: Context) => {
  const rows = await db
    .selectFrom('tool_call')
    .select(toolCallColumns)
    .where('run_id', 'in', runIds)
    .orderBy('step')
    .orderBy('position')
    .execute()
  return manyByKey(runIds, rows, (row) => row.runId)
})

export const toolCallsById = defineLoader(async (ids: readonly string[], { db }: Context) =>
  oneByKey(
    ids,
    await db.selectFrom('tool_call').select(toolCallColumns).where('id', 'in', ids).execute(),
    ({ id }) => id,
  ),
)

export const steps = defineLoader(async (runIds: readonly string[], { db }: Context) => {
  const rows = await db
    .selectFrom('step')
    .select([
      'run_id as runId',
      'text',
      'reported',
      'input_tokens as input',
      'output_tokens as output',
      'cached_input_tokens as cached',
    ])
    .where('run_id', 'in', runIds)
    .orderBy('number')
    .execute()
  return manyByKey(runIds, rows, (row) => row.runId)
})

export async function readMessages({ db }: Context, conversationId: string, range: Range) {
  return db
    .selectFrom('message')
    .select(messageColumns)
    .where('conversation_id', '=', conversationId)
    .$if(range.after !== null, (query) => query.where('position', '>', range.after))
    .$if(range.before !== null, (query) => query.where('position', '<', range.before))
    .orderBy('position', range.order)
    .limit(range.limit)
    .execute()
}
