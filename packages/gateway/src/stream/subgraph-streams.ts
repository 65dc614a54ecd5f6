import { AppError, type ErrorCode } from '@behalf/identity'
import { type Dispatcher, errors, Pool } from 'undici'
import { readSubgraphResponse, type SubgraphResponse } from '../execute/subgraph-response.ts'
import { EventReader, type ReadEvents } from './event-reader.ts'

export interface SubgraphStreamLimits {
  /** Milliseconds until a stream has begun. */
  readonly timeout: number
  /** Bytes of one event. */
  readonly maxBytes: number
  /** Milliseconds without a byte, heartbeats included, after which nobody is at the other end. */
  readonly silence: number
}

/** Whoever hears the events of a subscription. */
export interface SubgraphListener {
  /** The next one is not read before this one is done with. */
  hear(event: SubgraphResponse): Promise<void>
  /**
   * There are no more.
   *
   * @param error - what `hear` threw, or an AppError: `SUBGRAPH_*`, or a code of the table with which the subgraph
   *   refused the subscription; null where the subgraph said that it is over
   */
  over(error: unknown): void
}

export interface SubgraphStream {
  /** Breaks it off: nothing is heard of it any more. */
  leave(): void
}

export interface SubgraphStreams {
  /** Subscribes, as GraphQL over SSE has it. */
  open(
    request: { readonly body: Uint8Array; readonly headers: Record<string, string> },
    listener: SubgraphListener,
  ): SubgraphStream
  close(): Promise<void>
}

/** Streams have connections of their own: however many are open, requests have room. */
export function createSubgraphStreams(url: string, limits: SubgraphStreamLimits): SubgraphStreams {
  const { origin, pathname } = new URL(url)
  const pool = new Pool(origin, { headersTimeout: limits.timeout, bodyTimeout: limits.silence })

  return {
    open(request, listener) {
      const stream = new Subscription(listener, limits.maxBytes)
      pool.dispatch({ method: 'POST', path: pathname, ...request }, stream)
      return stream
    },
    close: () => pool.destroy(),
  }
}

/**
 * By `dispatch`: of a `request`, its stream, its signal and the generators over it were most of what a silent stream
 * held (docs/reference/performance-profile.md).
 */
class Subscription implements Dispatcher.DispatchHandler, SubgraphStream {
  readonly #listener: SubgraphListener
  readonly #maxBytes: number
  #controller: Dispatcher.DispatchController | null = null
  /** Of an answer that is no stream; null for a stream. */
  #answer: Answer | null = null
  readonly #events: EventReader
  #isTelling = false
  /** Why there is no more, once those are heard that came before. */
  #broken: AppError | null = null
  #isOver = false

  constructor(listener: SubgraphListener, maxBytes: number) {
    this.#listener = listener
    this.#maxBytes = maxBytes
    this.#events = new EventReader(maxBytes)
  }

  leave(): void {
    this.#isOver = true
    this.#controller?.abort(left)
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#isOver) controller.abort(left)
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    { 'content-type': type }: Record<string, string | string[] | undefined>,
  ): void {
    // A copy of what was read, as bytes, for as long as it lasts.
    controller.rawHeaders = null
    if (status !== 200 || !String(type).startsWith('text/event-stream'))
      this.#answer = { status, chunks: [], left: this.#maxBytes }
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#isOver) return
    if (this.#answer === null) {
      const read = this.#events.read(chunk)
      if (read.events.length > 0 || read.fault) void this.#tell(read)
      return
    }
    this.#answer.chunks.push(chunk)
    this.#answer.left -= chunk.length
    if (this.#answer.left < 0) this.#end(invalid(`over ${this.#maxBytes} bytes`))
  }

  onResponseEnd(): void {
    if (this.#answer === null) this.#end(unavailable('the stream broke off'))
    else void this.#hearAnswer(this.#answer)
  }

  onResponseError(_controller: Dispatcher.DispatchController | null, error: Error): void {
    if (this.#isOver) return
    this.#broken = new AppError(codeOf(error), undefined, { cause: error })
    if (!this.#isTelling) this.#end(this.#broken)
  }

  async #tell({ events, fault }: ReadEvents): Promise<void> {
    this.#isTelling = true
    this.#controller?.pause()
    try {
      for (const { event, data } of events) {
        if (event === 'complete') return this.#end(null)
        if (event === 'next') await this.#listener.hear(readSubgraphResponse(200, data))
        if (this.#isOver) return
      }
      if (fault) throw invalid(fault)
      if (this.#broken) throw this.#broken
    } catch (error) {
      return this.#end(error)
    }
    this.#isTelling = false
    this.#controller?.resume()
  }

  async #hearAnswer({ status, chunks }: Answer): Promise<void> {
    try {
      await this.#listener.hear(readSubgraphResponse(status, Buffer.concat(chunks).toString()))
      this.#end(null)
    } catch (error) {
      this.#end(error)
    }
  }

  #end(error: unknown): void {
    if (this.#isOver) return
    this.leave()
    this.#listener.over(error)
  }
}

interface Answer {
  readonly status: number
  readonly chunks: Buffer[]
  /** Bytes that it may still have. */
  left: number
}

/** One for all: nobody is told of it. */
const left = new errors.RequestAbortedError('left')

const invalid = (cause: unknown) => new AppError('SUBGRAPH_INVALID_RESPONSE', undefined, { cause })
const unavailable = (cause: unknown) => new AppError('SUBGRAPH_UNAVAILABLE', undefined, { cause })

function codeOf(error: unknown): ErrorCode {
  if (error instanceof errors.HTTPParserError) return 'SUBGRAPH_INVALID_RESPONSE'
  const isLate =
    error instanceof errors.HeadersTimeoutError ||
    error instanceof errors.BodyTimeoutError ||
    error instanceof errors.ConnectTimeoutError
  return isLate ? 'SUBGRAPH_TIMEOUT' : 'SUBGRAPH_UNAVAILABLE'
}
