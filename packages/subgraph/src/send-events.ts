import type { ServerResponse } from 'node:http'
import type { Limits } from './limits.ts'

/**
 * Sends events as GraphQL over SSE has them (distinct connections mode). It asks for the next one only when the last
 * was taken: what a slow reader does not read is not kept for it.
 */
export async function sendEvents(
  response: ServerResponse,
  events: AsyncIterable<string>,
  { heartbeatMs, stallMs }: Pick<Limits, 'heartbeatMs' | 'stallMs'>,
): Promise<void> {
  response.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    connection: 'close',
  })
  response.flushHeaders()
  const heartbeat = setInterval(() => {
    if (!response.writableNeedDrain) response.write(':\n\n')
  }, heartbeatMs)
  try {
    for await (const event of events) {
      if (response.write(`event: next\ndata: ${event}\n\n`)) continue
      if (!(await isDrained(response, stallMs))) return void response.destroy()
    }
    response.end('event: complete\ndata:\n\n')
  } finally {
    clearInterval(heartbeat)
  }
}

/** False where nobody reads any more, or not for so long. */
function isDrained(response: ServerResponse, withinMs: number): Promise<boolean> {
  if (response.destroyed) return Promise.resolve(false)
  return new Promise((resolve) => {
    const settle = (drained: boolean) => () => {
      clearTimeout(timer)
      response.off('drain', onDrain).off('close', onClose)
      resolve(drained)
    }
    const [onDrain, onClose] = [settle(true), settle(false)]
    const timer = setTimeout(onClose, withinMs)
    response.once('drain', onDrain).once('close', onClose)
  })
}
