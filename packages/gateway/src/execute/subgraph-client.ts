import { AppError, type ErrorCode } from '@behalf/identity'
import { type Dispatcher, errors, Pool } from 'undici'
import { decodeBody } from './decode-body.ts'
import { readSubgraphResponse, type SubgraphResponse } from './subgraph-response.ts'

export interface SubgraphLimits {
  /** Milliseconds from the request to the last byte of its answer. */
  readonly timeout: number
  /** Bytes of an answer, as it came and decompressed. */
  readonly maxBytes: number
  /** Requests under way or waiting for a connection. */
  readonly maxPending: number
}

export interface SubgraphRequest {
  readonly body: Uint8Array
  /** Names and values in turn. */
  readonly headers: string[]
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

const empty = Buffer.alloc(0)

/**
 * One keep-alive pool for one subgraph, bounded in sockets, waiting requests, time and size; follows no redirects. Over TLS it
 * speaks HTTP/2 where that is offered.
 *
 * @param tls - who is trusted to say who a subgraph is, in the place of whom node trusts.
 * @throws {TypeError} for a URL that cannot be used.
 */
export function createSubgraphClient(
  url: string,
  limits: SubgraphLimits,
  tls?: { readonly ca: string },
): SubgraphClient {
  const { protocol, origin, pathname, search } = new URL(url)
  if (!/^https?:$/.test(protocol) || search !== '') throw new TypeError(`${url} is not an http(s) URL without a query.`)
  // One deadline for the whole exchange takes the place of the pool's, which only bound the pauses in it.
  const pool = new Pool(origin, {
    connections: 64,
    headersTimeout: 0,
    bodyTimeout: 0,
    maxResponseSize: limits.maxBytes,
    ...(tls && { connect: { ...tls } }),
  })
  /** Also those for which nobody waits any more. */
  let pending = 0

  const decoded = async (encoding: string, bytes: Buffer) =>
    (await decodeBody(encoding, bytes, limits.maxBytes)).toString()

  /** By `dispatch`: streams and signals for bodies of which all is wanted at once cost half of what a request does. */
  function exchange({ body, headers, isQuery, signal: given }: SubgraphRequest): Promise<SubgraphResponse> {
    return new Promise((resolve, reject) => {
      const signal = isQuery ? given : null
      let chunks: Buffer[] = []
      let status = 0
      let encoding: string | string[] | undefined
      let attempts = 0
      /** Nobody waits for it any more. */
      let isOver = false
      /** For it took too long. */
      let isLate = false
      let abort: ((reason: Error) => void) | null = null
      // By hand: AbortSignal.any and .timeout cost more than the rest of this function.
      const giveUp = () => {
        isOver = true
        abort?.(new errors.RequestAbortedError())
      }
      const timer = setTimeout(() => {
        isLate = true
        giveUp()
      }, limits.timeout)
      signal?.addEventListener('abort', giveUp)

      function end(): void {
        clearTimeout(timer)
        signal?.removeEventListener('abort', giveUp)
      }
      function fail(cause: unknown): void {
        // A kept connection may end just as it is used again.
        if (attempts === 1 && isQuery && isReset(cause) && !isOver) return attempt()
        end()
        reject(new AppError(isLate ? 'SUBGRAPH_TIMEOUT' : codeOf(cause), undefined, { cause }))
      }
      const handler: Dispatcher.DispatchHandler = {
        onRequestStart(controller) {
          abort = (reason) => controller.abort(reason)
          if (isOver) controller.abort(new errors.RequestAbortedError())
        },
        onResponseStart(_controller, statusCode, { 'content-encoding': contentEncoding }) {
          status = statusCode
          encoding = contentEncoding
        },
        onResponseData: (_controller, chunk) => void chunks.push(chunk),
        onResponseEnd() {
          pending--
          end()
          const [first = empty] = chunks
          const bytes = chunks.length > 1 ? Buffer.concat(chunks) : first
          try {
            if (encoding === undefined) resolve(readSubgraphResponse(status, bytes.toString()))
            else resolve(decoded(String(encoding), bytes).then((text) => readSubgraphResponse(status, text)))
          } catch (error) {
            reject(error)
          }
        },
        onResponseError(_controller, error) {
          pending--
          fail(error)
        },
      }
      function attempt(): void {
        attempts++
        chunks = []
        // Until there is a connection; then it is taken out of the pool's queue.
        abort = fail
        pending++
        pool.dispatch({ method: 'POST', path: pathname, headers, body }, handler)
      }
      if (signal?.aborted) giveUp()
      if (isOver) fail(new errors.RequestAbortedError())
      else attempt()
    })
  }

  return {
    send(request) {
      if (pending < limits.maxPending) return exchange(request)
      const cause = `${pending} requests are waiting`
      return Promise.reject(new AppError('SUBGRAPH_UNAVAILABLE', undefined, { cause }))
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
