import { AppError, type ErrorCode } from '@behalf/identity'
import { errors, Pool } from 'undici'
import { readSubgraphResponse, type SubgraphResponse } from './subgraph-response.ts'

export interface SubgraphLimits {
  /** Milliseconds from the request to the last byte of its answer. */
  readonly timeout: number
  /** Bytes of an answer. */
  readonly maxBytes: number
  /** Requests under way or waiting for a connection. */
  readonly maxPending: number
}

export interface SubgraphRequest {
  readonly body: Uint8Array
  readonly headers: Record<string, string>
  /** A query: may be sent again when the connection breaks, and is given up when `signal` says so. */
  readonly isQuery: boolean
  readonly signal: AbortSignal | null
}

export interface SubgraphClient {
  /** @throws {AppError} `SUBGRAPH_*`, or a code of the table with which the subgraph refused the whole request. */
  send(request: SubgraphRequest): Promise<SubgraphResponse>
  /** Lets running requests end. */
  close(): Promise<void>
}

/**
 * One keep-alive pool for one subgraph, bounded in sockets, waiting requests, time and size; follows no redirects.
 *
 * @throws {TypeError} for a URL that cannot be used.
 */
export function createSubgraphClient(url: string, limits: SubgraphLimits): SubgraphClient {
  const { protocol, origin, pathname, search } = new URL(url)
  if (!/^https?:$/.test(protocol) || search !== '') throw new TypeError(`${url} is not an http(s) URL without a query.`)
  // One deadline for the whole exchange takes the place of the pool's, which only bound the pauses in it.
  const pool = new Pool(origin, {
    connections: 64,
    headersTimeout: 0,
    bodyTimeout: 0,
    maxResponseSize: limits.maxBytes,
  })
  let pending = 0

  async function exchange({ body, headers, isQuery, signal }: SubgraphRequest) {
    // By hand: AbortSignal.any and .timeout cost more than the rest of this function.
    const stop = new AbortController()
    let isLate = false
    const timer = setTimeout(() => {
      isLate = true
      stop.abort()
    }, limits.timeout)
    const clientSignal = isQuery ? signal : null
    const giveUp = () => stop.abort()
    if (clientSignal?.aborted) giveUp()
    clientSignal?.addEventListener('abort', giveUp, { once: true })

    const attempt = async () => {
      const response = await pool.request({ method: 'POST', path: pathname, headers, body, signal: stop.signal })
      return { status: response.statusCode, text: await response.body.text() }
    }
    try {
      return await attempt().catch((error: unknown) => {
        // A kept connection may end just as it is used again.
        if (isQuery && isReset(error) && !stop.signal.aborted) return attempt()
        throw error
      })
    } catch (cause) {
      throw new AppError(isLate ? 'SUBGRAPH_TIMEOUT' : codeOf(cause), undefined, { cause })
    } finally {
      clearTimeout(timer)
      clientSignal?.removeEventListener('abort', giveUp)
    }
  }

  return {
    async send(request) {
      if (pending >= limits.maxPending)
        throw new AppError('SUBGRAPH_UNAVAILABLE', undefined, { cause: `${pending} requests are waiting` })
      pending++
      try {
        const { status, text } = await exchange(request)
        return readSubgraphResponse(status, text)
      } finally {
        pending--
      }
    },
    close: () => pool.close(),
  }
}

function codeOf(error: unknown): ErrorCode {
  if (error instanceof errors.ResponseExceededMaxSizeError) return 'SUBGRAPH_INVALID_RESPONSE'
  if (error instanceof errors.HTTPParserError) return 'SUBGRAPH_INVALID_RESPONSE'
  return error instanceof errors.ConnectTimeoutError ? 'SUBGRAPH_TIMEOUT' : 'SUBGRAPH_UNAVAILABLE'
}

const isReset = (error: unknown) =>
  error instanceof errors.SocketError ||
  (error instanceof Error && 'code' in error && (error.code === 'ECONNRESET' || error.code === 'EPIPE'))
