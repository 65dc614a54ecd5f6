import { AppError, type ErrorCode, errorTable } from '@behalf/identity'
import { errors, Pool } from 'undici'
import { z } from 'zod'

/** A subgraph's answer (GraphQL 7.1), with nothing in its errors but what may leave the gateway. */
export interface SubgraphResponse {
  readonly data: Record<string, unknown> | null
  readonly errors: readonly SubgraphError[]
}

export interface SubgraphError {
  readonly message: string
  readonly path?: readonly (string | number)[]
  readonly code: ErrorCode
}

export interface SubgraphClient {
  /** @throws {AppError} `SUBGRAPH_*`, or a code of the table with which the subgraph refused the whole request. */
  send(request: { readonly body: Uint8Array; readonly headers: Record<string, string>; readonly signal: AbortSignal | null }): Promise<SubgraphResponse>
  close(): Promise<void>
}

const responseSchema = z.object({
  data: z.record(z.string(), z.unknown()).nullish(),
  errors: z
    .array(
      z.object({
        message: z.string().catch(''),
        path: z.array(z.union([z.string(), z.number()])).optional().catch(undefined),
        extensions: z.object({ code: z.string().optional().catch(undefined) }).optional().catch(undefined),
      }),
    )
    .optional(),
})

/** One keep-alive pool for one subgraph, bounded in sockets, time and size; follows no redirects. */
export function createSubgraphClient(url: string, limits: { readonly timeout: number; readonly maxBytes: number }): SubgraphClient {
  const { origin, pathname } = new URL(url)
  const pool = new Pool(origin, {
    connections: 64,
    connect: { timeout: limits.timeout },
    headersTimeout: limits.timeout,
    bodyTimeout: limits.timeout,
    maxResponseSize: limits.maxBytes,
  })

  return {
    async send({ body, headers, signal }) {
      const { statusCode, text } = await exchange(pool, pathname, body, headers, signal)
      const parsed = responseSchema.safeParse(parseJson(text))
      if (!parsed.success) throw new AppError('SUBGRAPH_INVALID_RESPONSE', undefined, { cause: `${statusCode}, not a GraphQL response` })
      const { data = null, errors: reported = [] } = parsed.data
      const [first] = reported
      if (statusCode !== 200) throw refusal(statusCode, first?.extensions?.code)
      if (data === null && first === undefined) throw new AppError('SUBGRAPH_INVALID_RESPONSE', undefined, { cause: 'neither data nor errors' })
      return { data, errors: reported.map(({ message, path, extensions }) => ({ ...publicError(extensions?.code, message), ...(path && { path }) })) }
    },
    close: () => pool.close(),
  }
}

async function exchange(pool: Pool, path: string, body: Uint8Array, headers: Record<string, string>, signal: AbortSignal | null) {
  try {
    const response = await pool.request({ method: 'POST', path, headers, body, ...(signal && { signal }) })
    return { statusCode: response.statusCode, text: await response.body.text() }
  } catch (cause) {
    if (cause instanceof errors.ResponseExceededMaxSizeError) throw new AppError('SUBGRAPH_INVALID_RESPONSE', undefined, { cause })
    const isTimeout = cause instanceof errors.HeadersTimeoutError || cause instanceof errors.BodyTimeoutError || cause instanceof errors.ConnectTimeoutError
    throw new AppError(isTimeout ? 'SUBGRAPH_TIMEOUT' : 'SUBGRAPH_UNAVAILABLE', undefined, { cause })
  }
}

/** A context that a subgraph refuses is a fault between us and it: the client is told no more than that. */
function refusal(status: number, code: string | undefined): AppError {
  const known = isErrorCode(code) && !code.startsWith('CONTEXT_') ? code : 'SUBGRAPH_INVALID_RESPONSE'
  return new AppError(known, undefined, { cause: `answered ${status} ${code ?? ''}` })
}

function publicError(code: string | undefined, message: string): { readonly code: ErrorCode; readonly message: string } {
  if (isErrorCode(code) && code !== 'INTERNAL') return { code, message: message || errorTable[code].message }
  return { code: 'INTERNAL', message: errorTable.INTERNAL.message }
}

const isErrorCode = (code: string | undefined): code is ErrorCode => code !== undefined && Object.hasOwn(errorTable, code)

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
