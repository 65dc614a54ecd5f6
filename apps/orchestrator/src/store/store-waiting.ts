import type { WaitingCall } from '@behalf/orchestration'
import { sql, type Kysely } from 'kysely'
import type { Database } from '../database.ts'
import { addEvents } from './run-events.ts'

/** Stores that a run waits for its user, and for what; whoever holds the run is sure that it is theirs. */
export async function storeWaiting(db: Kysely<Database>, run: string, calls: readonly WaitingCall[]): Promise<void> {
  await db
    .updateTable('run')
    .set({ status: 'AWAITING_APPROVAL', waiting_since: sql`now()` })
    .where('id', '=', run)
    .execute()
  for (const { call, approval } of calls) {
    const before = await db
      .selectFrom('tool_call')
      .select('approval_id as asked')
      .where('id', '=', call)
      .executeTakeFirstOrThrow()
    await db
      .updateTable('tool_call')
      .set({
        status: 'AWAITING_APPROVAL',
        approval_id: approval.id,
        approval_expires_at: new Date(approval.expiresAt),
      })
      .where('id', '=', call)
      .execute()
    await addEvents(db, run, [
      { kind: 'TOOL_CALL', call, status: 'AWAITING_APPROVAL' },
      // Told once, however often the run is looked at before its user decides.
      ...(before.asked === null ? [{ kind: 'APPROVAL', call } as const] : []),
    ])
  }
}
