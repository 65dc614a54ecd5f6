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

interface Exchanged {
  readonly status: number
  readonly text: string
}

/** One exchange, whichever attempt it is at. */
interface Call {
  /** Nobody waits for it any more. */
  isOver: boolean
  /** For it took too long. */
  isLate: boolean
  abort: ((reason: Error) => void) | null
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
  /** Also those for which nobody waits any more. */
  let pending = 0

  async function exchange(request: SubgraphRequest): Promise<Exchanged> {
    // By hand: AbortSignal.any and .timeout cost more than the rest of this function.
    const call: Call = { isOver: false, isLate: false, abort: null }
    const giveUp = () => {
      call.isOver = true
      call.abort?.(new errors.RequestAbortedError())
    }
    const timer = setTimeout(() => {
      call.isLate = true
      giveUp()
    }, limits.timeout)
    const { isQuery } = request
    const signal = isQuery ? request.signal : null
    if (signal?.aborted) giveUp()
    signal?.addEventListener('abort', giveUp, { once: true })
    try {
      return await attempt(request, call).catch((error: unknown) => {
        // A kept connection may end just as it is used again.
        if (isQuery && isReset(error) && !call.isOver) return attempt(request, call)
        throw error
      })
    } catch (cause) {
      throw new AppError(call.isLate ? 'SUBGRAPH_TIMEOUT' : codeOf(cause), undefined, { cause })
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', giveUp)
    }
  }

  /** By `dispatch`: streams and signals for bodies of which all is wanted at once cost half of what a request does. */
  function attempt({ body, headers }: SubgraphRequest, call: Call): Promise<Exchanged> {
    if (call.isOver) return Promise.reject(new errors.RequestAbortedError())
    return new Promise((resolve, reject) => {
      // Until there is a connection; then it is taken out of the pool's queue.
      call.abort = reject
      pending++
      const chunks: Buffer[] = []
      let status = 0
      pool.dispatch(
        { method: 'POST', path: pathname, headers, body },
        {
          onRequestStart(controller) {
            call.abort = (reason) => controller.abort(reason)
            if (call.isOver) controller.abort(new errors.RequestAbortedError())
          },
          onResponseStart(_controller, statusCode) {
            status = statusCode
          },
          onResponseData: (_controller, chunk) => void chunks.push(chunk),
          onResponseEnd() {
            pending--
            resolve({ status, text: Buffer.concat(chunks).toString() })
          },
          onResponseError(_controller, error) {
            pending--
            reject(error)
          },
        },
      )
    })
  }

  return {
    async send(request) {
      if (pending >= limits.maxPending)
        throw new AppError('SUBGRAPH_UNAVAILABLE', undefined, { cause: `${pending} requests are waiting` })
      const { status, text } = await exchange(request)
      return readSubgraphResponse(status, text)
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
