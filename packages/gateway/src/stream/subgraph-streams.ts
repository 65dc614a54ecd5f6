import { AppError, type ErrorCode } from '@behalf/identity'
import { createParser, type EventSourceMessage } from 'eventsource-parser'
import { type Dispatcher, errors, Pool } from 'undici'
import { readSubgraphResponse, type SubgraphResponse } from '../execute/subgraph-response.ts'

export interface SubgraphStreamLimits {
  /** Milliseconds until a stream has begun. */
  readonly timeout: number
  /** Bytes of one event. */
  readonly maxBytes: number
  /** Milliseconds without a byte, heartbeats included, after which nobody is at the other end. */
  readonly silence: number
}

export interface SubgraphStreams {
  /**
   * Events of a subscription, as GraphQL over SSE has them. The next one is read when it is asked for.
   *
   * @throws {AppError} `SUBGRAPH_*`, or a code of the table with which the subgraph refused the subscription
   */
  open(request: {
    readonly body: Uint8Array
    readonly headers: Record<string, string>
    readonly signal: AbortSignal
  }): AsyncGenerator<SubgraphResponse>
  close(): Promise<void>
}

/** Streams have connections of their own: however many are open, requests have room. */
export function createSubgraphStreams(url: string, limits: SubgraphStreamLimits): SubgraphStreams {
  const { origin, pathname } = new URL(url)
  const pool = new Pool(origin, { headersTimeout: limits.timeout, bodyTimeout: limits.silence })

  async function* open(request: Parameters<SubgraphStreams['open']>[0]): AsyncGenerator<SubgraphResponse> {
    try {
      const response = await pool.request({ method: 'POST', path: pathname, ...request })
      const { statusCode, headers, body } = response
      if (statusCode === 200 && String(headers['content-type']).startsWith('text/event-stream')) yield* readEvents(body)
      else yield readSubgraphResponse(statusCode, await readText(body, limits.maxBytes))
    } catch (error) {
      throw error instanceof AppError ? error : new AppError(codeOf(error), undefined, { cause: error })
    }
  }

  async function* readEvents(body: Dispatcher.ResponseData['body']): AsyncGenerator<SubgraphResponse> {
    const utf8 = new TextDecoder()
    const arrived: EventSourceMessage[] = []
    let fault: Error | undefined
    const parser = createParser({
      maxBufferSize: limits.maxBytes,
      onEvent: (event) => void arrived.push(event),
      onError: (error) => {
        if (error.type === 'max-buffer-size-exceeded') fault = error
      },
    })
    for await (const chunk of body) {
      parser.feed(utf8.decode(chunk as Uint8Array, { stream: true }))
      for (const { event, data } of arrived.splice(0)) {
        if (event === 'complete') return
        if (event === 'next') yield readSubgraphResponse(200, data)
      }
      if (fault) throw new AppError('SUBGRAPH_INVALID_RESPONSE', undefined, { cause: fault })
    }
    throw new AppError('SUBGRAPH_UNAVAILABLE', undefined, { cause: 'the stream broke off' })
  }

  return { open, close: () => pool.destroy() }
}

async function readText(body: Dispatcher.ResponseData['body'], maxBytes: number): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of body) {
    bytes += (chunk as Buffer).length
    if (bytes > maxBytes)
      throw new AppError('SUBGRAPH_INVALID_RESPONSE', undefined, { cause: `over ${maxBytes} bytes` })
    chunks.push(chunk as Buffer)
  }
  return Buffer.concat(chunks).toString()
}

function codeOf(error: unknown): ErrorCode {
  if (error instanceof errors.HTTPParserError) return 'SUBGRAPH_INVALID_RESPONSE'
  const isLate =
    error instanceof errors.HeadersTimeoutError ||
    error instanceof errors.BodyTimeoutError ||
    error instanceof errors.ConnectTimeoutError
  return isLate ? 'SUBGRAPH_TIMEOUT' : 'SUBGRAPH_UNAVAILABLE'
}
