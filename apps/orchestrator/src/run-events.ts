import { answerText } from '@behalf/orchestration'
import type { SubscribeContext } from '@behalf/subgraph'
import type { Database, ToolCallStatus } from './database.ts'
import type { LiveText, RunFeed } from './run-feed.ts'
import { answerIdOf } from './store/new-id.ts'
import { createTextCursor } from './text-cursor.ts'

export interface RunEventsArguments {
  readonly runId: string
  readonly afterSeq?: number | null
}

/** Members of `ChatEvent` with what their resolvers need. */
type ChatEvent =
  | { readonly __typename: 'ChatTextDelta'; readonly messageId: string; readonly offset: number; readonly text: string }
  | { readonly __typename: 'ChatToolCallChanged'; readonly call: string; readonly status: ToolCallStatus }
  | { readonly __typename: 'ChatApprovalRequested'; readonly call: string; readonly userId: string }
  | { readonly __typename: 'ChatRunEnded'; readonly run: string }

export type ShownEvent<Name extends ChatEvent['__typename']> = Extract<ChatEvent, { readonly __typename: Name }>

interface ChatRunEvent {
  readonly userId: string
  readonly seq: number | null
  readonly event: ChatEvent
}

type Db = Parameters<Parameters<SubscribeContext<Database>['read']>[0]>[0]

const pageSize = 100
/** What is heard is the reason to read; this is for what was not. */
const rereadMs = 30_000
/** Text that was missed may be gone with whoever wrote it: then the end of the run has what became of it. */
const askEveryMs = 500

/**
 * What happened in a run after `afterSeq`, then what happens, to its end; one null for a run that is not the caller's.
 * Stored events are read from their table, whoever said that there are some. Text comes as it is written.
 */
export async function* runEvents(
  { runId, afterSeq }: RunEventsArguments,
  { read, signal }: SubscribeContext<Database>,
  feedOf: () => Promise<RunFeed>,
): AsyncGenerator<ChatRunEvent | null> {
  const feed = await feedOf()
  const inbox = createInbox()
  const cursor = createTextCursor()
  let seq = Math.max(0, afterSeq ?? 0)
  let missed = false
  let askedAt = -Infinity

  const begun = await read(async (db) => ({ run: await findRun(db, runId), written: await readText(db, runId) }))
  if (begun.run === null) return yield null
  const { userId } = begun.run
  const toDelta = ({ offset, text }: { offset: number; text: string }): ChatRunEvent => ({
    userId,
    seq: null,
    event: { __typename: 'ChatTextDelta', messageId: answerIdOf(runId), offset, text },
  })

  const wake = () => inbox.wake()
  // From here on nothing is missed; what is heard twice is told once.
  const leave = feed.hear(runId, { text: inbox.put, changed: wake })
  signal.addEventListener('abort', wake)
  try {
    if (begun.run.finishedAt === null && begun.written !== '') {
      const delta = cursor.take({ holder: begun.run.holder, offset: 0, text: begun.written })
      if (delta !== null && delta !== 'gap') yield toDelta(delta)
    }
    while (!signal.aborted) {
      const { run, stored, written } = await read(async (db) => {
        const [now, events] = [await findRun(db, runId), await readEvents(db, runId, seq)]
        const isText = missed || events.at(-1)?.isLast === true
        return { run: now, stored: events, written: isText ? await readText(db, runId) : '' }
      })
      if (missed && run !== null) {
        inbox.put({ holder: run.holder, offset: 0, text: written })
        feed.ask(runId)
        missed = false
      }
      for (const each of stored) {
        seq = each.seq
        // Its text may be on its way still: nothing is told after the end.
        const rest = each.isLast && run ? cursor.take({ holder: run.holder, offset: 0, text: written }) : null
        if (rest !== null && rest !== 'gap') yield toDelta(rest)
        yield { userId, seq, event: each.event }
        if (each.isLast) return
      }
      if (stored.length === pageSize) continue
      // Deleted, or ended before there were events.
      if (run === null || (run.finishedAt !== null && run.lastSeq <= seq)) return
      do {
        await inbox.something(rereadMs)
        for (const piece of inbox.take()) {
          const delta = cursor.take(piece)
          if (delta === 'gap') missed = true
          else if (delta !== null) yield toDelta(delta)
        }
        if (missed && performance.now() > askedAt + askEveryMs) {
          askedAt = performance.now()
          wake()
        }
      } while (!inbox.isWoken() && !signal.aborted)
    }
  } finally {
    leave()
    signal.removeEventListener('abort', wake)
  }
}

async function findRun(db: Db, id: string) {
  const run = await db
    .selectFrom('run')
    .select(['user_id as userId', 'holder', 'last_seq as lastSeq', 'finished_at as finishedAt'])
    .where('id', '=', id)
    .executeTakeFirst()
  return run ?? null
}

async function readText(db: Db, run: string): Promise<string> {
  return answerText(await db.selectFrom('step').select('text').where('run_id', '=', run).orderBy('number').execute())
}

interface StoredEvent {
  readonly seq: number
  readonly event: ChatEvent
  readonly isLast: boolean
}

async function readEvents(db: Db, run: string, after: number): Promise<StoredEvent[]> {
  const rows = await db
    .selectFrom('run_event')
    .select(['seq', 'user_id as userId', 'tool_call_id as call', 'status'])
    .where('run_id', '=', run)
    .where('seq', '>', after)
    .orderBy('seq')
    .limit(pageSize)
    .execute()
  return rows.map(({ seq, userId, call, status }): StoredEvent => {
    if (call === null) return { seq, isLast: true, event: { __typename: 'ChatRunEnded', run } }
    if (status === null) return { seq, isLast: false, event: { __typename: 'ChatApprovalRequested', call, userId } }
    return { seq, isLast: false, event: { __typename: 'ChatToolCallChanged', call, status } }
  })
}

/** What came while nobody looked: text in one piece where it can be, so that it is never more than the answer. */
function createInbox() {
  let texts: LiveText[] = []
  let woken = false
  let notify = () => {}
  return {
    put(next: LiveText): void {
      const last = texts.at(-1)
      if (last && last.holder === next.holder && last.offset + last.text.length === next.offset)
        texts[texts.length - 1] = { ...last, text: last.text + next.text }
      else texts.push(next)
      notify()
    },
    wake(): void {
      woken = true
      notify()
    },
    take(): readonly LiveText[] {
      const taken = texts
      texts = []
      return taken
    },
    /** Whether there is a reason to read; asked once. */
    isWoken(): boolean {
      const was = woken
      woken = false
      return was
    },
    async something(withinMs: number): Promise<void> {
      if (woken || texts.length > 0) return
      const came = Promise.withResolvers<void>()
      notify = came.resolve
      const timer = setTimeout(() => {
        woken = true
        came.resolve()
      }, withinMs)
      await came.promise
      clearTimeout(timer)
      notify = () => {}
    },
  }
}
