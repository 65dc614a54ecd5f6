import type { ServerResponse } from 'node:http'
import { AppError } from '@behalf/identity'

/** Writes GraphQL over SSE (graphql-sse, distinct connections mode). */
export interface EventWriter {
  /**
   * Resolves when there is room for the next one.
   *
   * @throws {AppError} `STREAM_TOO_SLOW`; the signal's reason when it aborts
   */
  next(result: object): Promise<void>
  /** Says that there is no more, after one last result if there is one. Does not wait for a reader who does not read. */
  complete(last?: object): void
}

/** Milliseconds that whoever is told of the end has to read it. */
const graceMs = 5000

export function createEventWriter(
  response: ServerResponse,
  options: { readonly heartbeatMs: number; readonly stallMs: number; readonly signal: AbortSignal },
): EventWriter {
  const { heartbeatMs, stallMs, signal } = options
  response.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    // Of proxies that gather what they pass on.
    'x-accel-buffering': 'no',
    connection: 'close',
  })
  response.flushHeaders()
  const heartbeat = setInterval(() => {
    if (!response.writableNeedDrain) response.write(':\n\n')
  }, heartbeatMs)
  response.once('close', () => clearInterval(heartbeat))
  const text = (result: object) => `event: next\ndata: ${JSON.stringify(result)}\n\n`

  function room(): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (how: () => void) => () => {
        clearTimeout(timer)
        response.off('drain', drained)
        signal.removeEventListener('abort', aborted)
        how()
      }
      const drained = settle(resolve)
      const aborted = settle(() => reject(signal.reason as Error))
      const timer = setTimeout(
        settle(() => reject(new AppError('STREAM_TOO_SLOW'))),
        stallMs,
      )
      response.once('drain', drained)
      signal.addEventListener('abort', aborted, { once: true })
    })
  }

  return {
    async next(result) {
      signal.throwIfAborted()
      if (!response.write(text(result))) await room()
    },
    complete(last) {
      clearInterval(heartbeat)
      if (response.destroyed) return
      response.end(`${last ? text(last) : ''}event: complete\ndata:\n\n`)
      const timer = setTimeout(() => response.destroy(), graceMs)
      response.once('close', () => clearTimeout(timer))
    },
  }
}
