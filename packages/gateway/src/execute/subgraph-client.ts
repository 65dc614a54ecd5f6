import type { IncomingHttpHeaders } from 'node:http'
import { AppError, type ErrorCode } from '@behalf/identity'
import { type Dispatcher, errors, Pool } from 'undici'
import { decodeBody } from './decode-body.ts'
import type { GoneListener, GoneSignal } from './gone-signal.ts'
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
  readonly signal: GoneSignal | null
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

  /**
   * One request, by `dispatch`: streams and signals for bodies of which all is wanted at once cost half of what a request
   * does. It hears itself of what becomes of it, so that no functions are made for that.
   */
  class Exchange implements Dispatcher.DispatchHandler, GoneListener {
    readonly #request: SubgraphRequest
    readonly #signal: GoneSignal | null
    readonly #resolve: (response: SubgraphResponse | Promise<SubgraphResponse>) => void
    readonly #reject: (error: unknown) => void
    readonly #timer: NodeJS.Timeout
    /** Null until there is a connection; then it is taken out of the pool's queue. */
    #controller: Dispatcher.DispatchController | null = null
    #first: Buffer = empty
    #others: Buffer[] | null = null
    #status = 0
    #encoding: string | string[] | undefined
    #attempts = 0
    /** Nobody waits for it any more. */
    #isOver = false
    /** For it took too long. */
    #isLate = false

    constructor(
      request: SubgraphRequest,
      resolve: (response: SubgraphResponse | Promise<SubgraphResponse>) => void,
      reject: (error: unknown) => void,
    ) {
      this.#request = request
      this.#signal = request.isQuery ? request.signal : null
      this.#resolve = resolve
      this.#reject = reject
      // By hand: AbortSignal.any and .timeout cost more than the rest of this class.
      this.#timer = setTimeout(Exchange.#late, limits.timeout, this)
      this.#signal?.addEventListener('abort', this)
      if (this.#signal?.aborted) this.handleEvent()
      else this.#attempt()
    }

    static #late(late: Exchange): void {
      late.#isLate = true
      late.handleEvent()
    }

    /** Gives it up. */
    handleEvent(): void {
      this.#isOver = true
      const error = new errors.RequestAbortedError()
      if (this.#controller === null) this.#fail(error)
      else this.#controller.abort(error)
    }

    #attempt(): void {
      this.#attempts++
      this.#first = empty
      this.#others = null
      this.#controller = null
      pending++
      const { headers, body } = this.#request
      pool.dispatch({ method: 'POST', path: pathname, headers, body }, this)
    }

    #end(): void {
      clearTimeout(this.#timer)
      this.#signal?.removeEventListener('abort', this)
    }

    #fail(cause: unknown): void {
      // A kept connection may end just as it is used again.
      if (this.#attempts === 1 && this.#request.isQuery && isReset(cause) && !this.#isOver) return this.#attempt()
      this.#end()
      this.#reject(new AppError(this.#isLate ? 'SUBGRAPH_TIMEOUT' : codeOf(cause), undefined, { cause }))
    }

    onRequestStart(controller: Dispatcher.DispatchController): void {
      this.#controller = controller
      if (this.#isOver) controller.abort(new errors.RequestAbortedError())
    }

    onResponseStart(
      _controller: Dispatcher.DispatchController,
      statusCode: number,
      headers: IncomingHttpHeaders,
    ): void {
      this.#status = statusCode
      this.#encoding = headers['content-encoding']
    }

    onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
      if (this.#first === empty) this.#first = chunk
      else (this.#others ??= []).push(chunk)
    }

    onResponseEnd(): void {
      pending--
      this.#end()
      const bytes = this.#others === null ? this.#first : Buffer.concat([this.#first, ...this.#others])
      const status = this.#status
      try {
        if (this.#encoding === undefined) this.#resolve(readSubgraphResponse(status, bytes.toString()))
        else this.#resolve(decoded(String(this.#encoding), bytes).then((text) => readSubgraphResponse(status, text)))
      } catch (error) {
        this.#reject(error)
      }
    }

    onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
      pending--
      this.#fail(error)
    }
  }

  function exchange(request: SubgraphRequest): Promise<SubgraphResponse> {
    return new Promise((resolve, reject) => void new Exchange(request, resolve, reject))
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
