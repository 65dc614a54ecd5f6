import type { Asked } from '../execute/graphql-server.ts'

/**
 * A request as nearly all are: JSON, of members of the types that they have to have. Null for every other, of which
 * Apollo Server has more to read, or to say what is wrong with it.
 *
 * @param contentType - as it was sent.
 * @param body - parsed.
 */
export function readPlainRequest(contentType: string | undefined, body: unknown): Asked | null {
  if (contentType !== 'application/json' || typeof body !== 'object' || body === null) return null
  const { query, operationName, variables, extensions } = body as Readonly<Record<string, unknown>>
  if (typeof query !== 'string' || query === '' || (extensions ?? null) !== null) return null
  if (operationName !== undefined && operationName !== null && typeof operationName !== 'string') return null
  if (variables !== undefined && (typeof variables !== 'object' || Array.isArray(variables))) return null
  return {
    query,
    ...(typeof operationName === 'string' && { operationName }),
    ...(variables && { variables: variables as Record<string, unknown> }),
  }
}
