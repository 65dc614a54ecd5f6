import { AppError, errorTable } from '@behalf/identity'
import type { SubgraphError } from '../subgraph-response.ts'

/** An error that is not at any place yet. */
export type Problem = Omit<SubgraphError, 'path'> & { readonly cause?: unknown }

/** Whatever was thrown in place of an answer. What nobody expected is for the log. */
export function problemOf(error: unknown): Problem {
  if (error instanceof AppError) return { message: error.message, code: error.code, details: error.details }
  return { message: errorTable.INTERNAL.message, code: 'INTERNAL', details: {}, cause: error }
}

export const invalid: Problem = {
  message: errorTable.SUBGRAPH_INVALID_RESPONSE.message,
  code: 'SUBGRAPH_INVALID_RESPONSE',
  details: {},
}
