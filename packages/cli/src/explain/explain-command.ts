import { setTimeout } from 'node:timers/promises'
import { openAudit, type StoredAuditEvent } from '@behalf/postgres'
import type { Terminal } from '../run.ts'
import { isEnd } from './describe-event.ts'
import { renderTree } from './render-tree.ts'
import { transactionTree } from './transaction-tree.ts'

/** Milliseconds. Events are written in batches, by several processes, so that the last ones come a little later. */
const patience = 2000
const pause = 100
const batch = 500

export async function explainCommand(
  options: { readonly txn: string; readonly json: boolean; readonly databaseUrl: string | null },
  terminal: Terminal,
): Promise<number> {
  const { json, databaseUrl } = options
  const txn = options.txn.toLowerCase()
  if (databaseUrl === null) {
    terminal.error('DATABASE_URL must be set: of a role that may read the events, the administrator.')
    return 2
  }
  if (!/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/.test(txn)) {
    terminal.error(`"${options.txn}" is not a txn: it is in "extensions" of every answer, and looks like a UUID.`)
    return 2
  }
  let events: StoredAuditEvent[]
  try {
    events = await settled(databaseUrl, txn)
  } catch (error) {
    terminal.error(`The events cannot be read: ${reasonOf(error)}`)
    return 1
  }
  if (events.length === 0) {
    terminal.error(`There is no event of transaction ${txn}.`)
    terminal.error('A request that was turned away at the door, for its credential or a limit, is counted with others.')
    return 1
  }
  if (json) terminal.out(JSON.stringify(events, null, 2))
  else for (const line of renderTree(transactionTree(events, txn))) terminal.out(line)
  return 0
}

/** What is known of a transaction, once it has ended and what was recorded meanwhile had the time to be written. */
async function settled(databaseUrl: string, txn: string): Promise<StoredAuditEvent[]> {
  const until = performance.now() + patience
  await using audit = await openAudit(databaseUrl)
  for (;;) {
    const events = await audit.read(txn)
    const end = events.find((event) => event.txn === txn && isEnd(event))
    const age = end ? Date.now() - end.time.getTime() - (end.durationMs ?? 0) : null
    if ((age !== null && age > batch) || performance.now() > until) return events
    await setTimeout(pause)
  }
}

/** A host with two addresses that both refuse is an AggregateError, whose own message is empty. */
function reasonOf(error: unknown): string {
  const cause = error instanceof AggregateError ? error.errors[0] : error
  return cause instanceof Error ? cause.message : String(cause)
}
