import { AppError } from '@behalf/identity'
import type { AgentApi, ChatErrorCode, ModelBackend } from '@behalf/orchestration'
import type { SubgraphContext } from '@behalf/subgraph'
import { queryTogether, type Statement } from '@behalf/postgres'
import { hasRoom, roomStatement, type Budgets } from './budgets.ts'
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

  const owner = { subject, tenant }
  const { conversationId = null } = input
  const [earlier = [], known = [], active = [], room = []] = await queryTogether(db, [
    earlierStatement(input),
    { name: 'conversation', text: 'select from conversation where id = $1', values: [conversationId] },
    {
      name: 'conversation_busy',
      text: 'select from run where conversation_id = $1 and status = any($2)',
      values: [conversationId, activeStatuses],
    },
    roomStatement(owner),
  ])
  const before = earlierResult(earlier, input)
  if (before) return before
  if (conversationId !== null) {
    if (known.length === 0) return { run: null, error: null }
    if (active.length > 0) return busy
  }
  if (!hasRoom(room, owner, options.budgets)) return spent
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
      const [, left = []] = await queryTogether(inner, [
        {
          name: 'room_lock',
          text: `select pg_advisory_xact_lock(hashtextextended('chat runs of ' || $1::text, 0))`,
          values: [subject],
        },
        roomStatement(owner),
      ])
      if (!hasRoom(left, owner, options.budgets)) throw new Spent()
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
  if (stored === 'overtaken') {
    const [first = []] = await queryTogether(db, [earlierStatement(input)])
    return earlierResult(first, input) ?? busy
  }
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

/** The first run under this key. */
const earlierStatement = ({ idempotencyKey }: SendInput): Statement => ({
  name: 'run_of_key',
  text: `select run.id, run.conversation_id as conversation, message.text
    from run join message on message.run_id = run.id and message.role = 'USER' where run.idempotency_key = $1`,
  values: [idempotencyKey],
})

/** A request that differs from its own is refused. */
function earlierResult(rows: readonly object[], { text, conversationId }: SendInput): SendResult | null {
  const [earlier] = rows as readonly { id: string; conversation: string; text: string }[]
  if (!earlier) return null
  const same = earlier.text === text && (conversationId ?? earlier.conversation) === earlier.conversation
  return same ? { run: earlier.id, error: null } : { run: null, error: 'IDEMPOTENCY_MISMATCH' }
}

function titleOf(text: string): string {
  const line = text.trim().split(/\s+/).join(' ')
  return line.length > titleLength ? `${line.slice(0, titleLength - 1).toWellFormed()}…` : line
}
