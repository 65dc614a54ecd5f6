import { AppError } from '@behalf/identity'
import type { CallerConnection } from './caller-connection.ts'
import type { Turns } from './turns.ts'

/** Something that must happen once. */
export interface Effect {
  /** The same in every repeat: the tool call's id, else the `jti` of the mutation's context token. */
  readonly id: string
  /** Tells one request from another: base64url SHA-256 of its body. */
  readonly request: string
}

interface Performed {
  readonly request: string
  /** JSON; null until it is known. */
  readonly outcome: string | null
}

/** See `BoundTransaction.perform`. */
export async function performOnce<R>(
  { connection, turns, subject }: { connection: CallerConnection; turns: Turns; subject: string },
  { id, request }: Effect,
  work: () => Promise<R>,
): Promise<R> {
  const query = (text: string, values: readonly unknown[]) => turns.take(() => connection.query(text, values))
  try {
    // Waits for another transaction that has inserted the same id, until that ends.
    const mine = await query(
      'insert into behalf.performed (id, subject, request) values ($1, $2, $3) on conflict do nothing',
      [id, subject, request],
    )
    if (mine.rowCount === 0) {
      // Row-level security shows the subject's own only.
      const { rows } = await query('select request, outcome::text as outcome from behalf.performed where id = $1', [id])
      return recorded(rows[0] as Performed | undefined, request) as R
    }
    const outcome = await work()
    // With the commit, without which there is nothing to remember.
    await turns.take(async () =>
      connection.defer({
        name: 'behalf_outcome',
        text: 'update behalf.performed set outcome = $2 where id = $1',
        values: [id, JSON.stringify(outcome ?? null)],
      }),
    )
    return outcome
  } catch (error) {
    await connection.rollback()
    throw error
  }
}

function recorded(performed: Performed | undefined, request: string): unknown {
  if (performed === undefined || performed.request !== request) throw new AppError('CONTEXT_WRONG_REQUEST')
  if (performed.outcome === null) throw new AppError('OUTCOME_UNKNOWN')
  return JSON.parse(performed.outcome)
}
