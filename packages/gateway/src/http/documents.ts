import { createHash } from 'node:crypto'
import { AppError } from '@behalf/identity'
import { z } from 'zod'

export interface DocumentOptions {
  /** Texts of documents by the ids that clients ask for them with. */
  readonly trusted: Readonly<Record<string, string>>
  /** Whether nothing else is executed for clients. Default false. Tools have operations of their own. */
  readonly only?: boolean
}

/**
 * The text that a request names by `documentId` or by the hash of a persisted query; null where it has its own, or none
 * that is trusted, in which case what `extensions` name is looked up among those that clients sent before.
 *
 * @throws {AppError} `BAD_REQUEST`, `DOCUMENT_UNKNOWN`, `DOCUMENT_NOT_TRUSTED`
 */
export type FindDocument = (parameters: {
  readonly query?: unknown
  readonly documentId?: unknown
  readonly extensions?: unknown
}) => string | null

/** As Apollo's clients send it. */
const persistedQuery = z.object({ version: z.literal(1), sha256Hash: z.string().regex(/^[0-9a-f]{64}$/) })
const withPersistedQuery = z.object({ persistedQuery: z.record(z.string(), z.unknown()) })

/** Trusted documents, by id (GraphQL over HTTP, "Persisted Documents") or as persisted queries. */
export function createFindDocument({ trusted, only = false }: DocumentOptions): FindDocument {
  const texts = new Map(Object.entries(trusted))
  const known = new Set(texts.values())

  return ({ query, documentId, extensions }) => {
    if (documentId != null) {
      if (query != null) throw new AppError('BAD_REQUEST', 'Send "query" or "documentId", not both.')
      const text = typeof documentId === 'string' ? texts.get(documentId) : undefined
      if (text === undefined) throw new AppError('DOCUMENT_UNKNOWN')
      return text
    }
    const persisted = extensions == null ? undefined : withPersistedQuery.safeParse(extensions).data?.persistedQuery
    if (persisted !== undefined) {
      const { data: { sha256Hash: hash } = {} } = persistedQuery.safeParse(persisted)
      if (hash === undefined)
        throw new AppError('BAD_REQUEST', 'A persisted query has "version" 1 and a "sha256Hash" in lower case.')
      if (query == null) {
        const text = texts.get(hash)
        if (text === undefined && only) throw new AppError('DOCUMENT_UNKNOWN')
        return text ?? null
      }
      if (typeof query === 'string' && createHash('sha256').update(query).digest('hex') !== hash)
        throw new AppError('BAD_REQUEST', 'The "sha256Hash" is not that of the "query".')
    }
    if (only && !(typeof query === 'string' && known.has(query))) throw new AppError('DOCUMENT_NOT_TRUSTED')
    return null
  }
}
