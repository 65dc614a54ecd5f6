import { AppError } from '@behalf/identity'
import pg from 'pg'

/** SQLSTATEs after which the same request may well succeed (PostgreSQL, appendix A). */
const passing = new Set([
  '40001', // serialization failure
  '40P01', // deadlock detected
  '55P03', // lock not available
  '57014', // query canceled, as by statement_timeout
])

/** True if nothing is known of the connection any more: it is not used again. */
export function isConnectionLost(error: unknown): boolean {
  if (!(error instanceof pg.DatabaseError)) return true
  const state = error.code ?? ''
  // A table was changed under a statement that this connection has prepared (0A000); another one prepares it anew.
  if (error.routine === 'RevalidateCachedQuery') return true
  // Class 08 connection exception, 57P operator intervention, 25P03 idle in transaction for too long
  return state.startsWith('08') || state.startsWith('57P') || state === '25P03' || error.severity === 'FATAL'
}

/** True if it failed because of transactions at the same time, and may well succeed after them. */
export const isConflict = (error: unknown): boolean =>
  error instanceof pg.DatabaseError && (error.code === '40001' || error.code === '40P01')

/** A text in which there is U+0000, or something else that is no character of the database's. */
const noSuchCharacter = '22021'

/** What a caller is told of `error`: that it may try again where that makes sense, else the error itself. */
export function asAppError(error: unknown): unknown {
  if (error instanceof AppError) return error
  const state = error instanceof pg.DatabaseError ? (error.code ?? '') : ''
  if (state === noSuchCharacter) {
    return new AppError('BAD_USER_INPUT', 'A text has a character that cannot be stored.', { cause: error })
  }
  const unavailable = isConnectionLost(error) || passing.has(state) || state.startsWith('53')
  return unavailable ? new AppError('UNAVAILABLE', undefined, { cause: error }) : error
}
