import { AppError } from '@behalf/identity'
import type { AgentApi, ChatErrorCode, ModelBackend } from '@behalf/orchestration'
import type { SubgraphContext } from '@behalf/subgraph'
import { sql, type Kysely } from 'kysely'
import { hasRoom, type Budgets } from './budgets.ts'
import { activeStatuses, type Database } from './database.ts'
import { storeNewRun } from './store/new-run.ts'

export interface SendInput {
  readonly conversationId?: string | null
  readonly text: string
  readonly idempotencyKey: string
  readonly waitMs?: number | null
}

export type SendResult =
  | { readonly run: string; readonly error: null }
  | { readonly run: null; readonly error: ChatErrorCode | null }

export interface SendOptions {
  readonly agentApi: AgentApi
  readonly backend: Pick<ModelBackend, 'kind' | 'name'>
  readonly budgets: Budgets
  /** The id that a new run is given: whoever waits for its end can listen before it begins. */
  readonly run: string
}

const maxText = 8000
const maxKey = 128
const titleLength = 80

/** Requests whose ticket was used: each has one, for one text. */
const redeemed = new WeakSet<object>()

/**
 * Stores a text, the run that answers it, the delegation it acts under and the job, in one transaction, and makes
 * them durable. `run` and `error` are null when the conversation is not one of the caller's.
 */
export async function sendMessage(
  input: SendInput,
  context: SubgraphContext<Database>,
  options: SendOptions,
): Promise<SendResult> {
  checkInput(input)
  const { db, ticket } = context
  const { subject, tenant } = context.identity
  if (ticket === null || tenant === null) throw new AppError('INTERNAL', undefined, { cause: 'no ticket for chatSend' })

  const before = await findEarlier(db, input)
  if (before) return before
  if (input.conversationId != null) {
    const conversation = await db
      .selectFrom('conversation')
      .select('id')
      .where('id', '=', input.conversationId)
      .executeTakeFirst()
    if (!conversation) return { run: null, error: null }
    if (await isBusy(db, input.conversationId)) return busy
  }
  const owner = { subject, tenant }
  if (!(await hasRoom(db, owner, options.budgets))) return spent
  if (redeemed.has(context)) throw new AppError('BAD_USER_INPUT', 'Send one text per request.')
  redeemed.add(context)
  // Nothing is held while the gateway is asked.
  await context.commit()
  const { handle } = await options.agentApi.redeem(ticket)

  const run = options.run
  const stored = await db
    .transaction()
    .execute(async (inner) => {
      // Of two that were told that there is room for one more, one is.
      await sql`select pg_advisory_xact_lock(hashtextextended(${`chat runs of ${subject}`}, 0))`.execute(inner)
      if (!(await hasRoom(inner, owner, options.budgets))) throw new Spent()
      const isFirst = await storeNewRun(inner, {
        run,
        conversation: input.conversationId ?? null,
        title: titleOf(input.text),
        text: input.text,
        idempotencyKey: input.idempotencyKey,
        backend: options.backend,
        delegation: handle,
        owner,
      })
      if (!isFirst) throw new Overtaken()
      return 'stored' as const
    })
    .catch((error: unknown) => {
      if (error instanceof Overtaken) return 'overtaken' as const
      if (error instanceof Spent) return 'spent' as const
      throw error
    })
  if (stored === 'spent') return spent
  if (stored === 'overtaken') return (await findEarlier(db, input)) ?? busy
  await context.commit()
  return { run, error: null }
}

const busy: SendResult = { run: null, error: 'CONVERSATION_BUSY' }
const spent: SendResult = { run: null, error: 'BUDGET_EXCEEDED' }

/** Undoes what was stored before another request turned out to be first. */
class Overtaken extends Error {}
/** Undoes what is one run too many. */
class Spent extends Error {}

function checkInput({ text, idempotencyKey, waitMs }: SendInput): void {
  const refuse = (message: string) => new AppError('BAD_USER_INPUT', message)
  if (text.trim() === '' || text.length > maxText) throw refuse(`"text" has 1 to ${maxText} characters.`)
  if (text.includes('\0') || !text.isWellFormed()) throw refuse('"text" holds characters that are not text.')
  if (!/^[\x21-\x7e]+$/.test(idempotencyKey) || idempotencyKey.length > maxKey) {
    throw refuse(`"idempotencyKey" has 1 to ${maxKey} printable ASCII characters and no spaces.`)
  }
  if (waitMs != null && (waitMs < 0 || waitMs > 60_000)) throw refuse('"waitMs" is 0 to 60000.')
}

/** The first run under this key. A request that differs from its own is refused. */
async function findEarlier(db: Kysely<Database>, input: SendInput): Promise<SendResult | null> {
  const earlier = await db
    .selectFrom('run')
    .innerJoin('message', (join) => join.onRef('message.run_id', '=', 'run.id').on('message.role', '=', 'USER'))
    .select(['run.id', 'run.conversation_id as conversation', 'message.text'])
    .where('run.idempotency_key', '=', input.idempotencyKey)
    .executeTakeFirst()
  if (!earlier) return null
  const same = earlier.text === input.text && (input.conversationId ?? earlier.conversation) === earlier.conversation
  return same ? { run: earlier.id, error: null } : { run: null, error: 'IDEMPOTENCY_MISMATCH' }
}

async function isBusy(db: Kysely<Database>, conversation: string): Promise<boolean> {
  const active = await db
    .selectFrom('run')
    .select('id')
    .where('conversation_id', '=', conversation)
    .where('status', 'in', activeStatuses)
    .executeTakeFirst()
  return active !== undefined
}

function titleOf(text: string): string {
  const line = text.trim().split(/\s+/).join(' ')
  return line.length > titleLength ? `${line.slice(0, titleLength - 1).toWellFormed()}…` : line
}
