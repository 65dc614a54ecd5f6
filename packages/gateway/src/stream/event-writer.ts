import type { ServerResponse } from 'node:http'
import { AppError } from '@behalf/identity'

/** Milliseconds that whoever is told of the end has to read it. */
const graceMs = 5000

/** Writes GraphQL over SSE (graphql-sse, distinct connections mode). */
export class EventWriter {
  readonly #response: ServerResponse

  constructor(response: ServerResponse) {
    this.#response = response
  }

  begin(): void {
    this.#response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      // Of proxies that gather what they pass on.
      'x-accel-buffering': 'no',
      connection: 'close',
    })
    this.#response.flushHeaders()
  }

  /**
   * Resolves when there is room for the next one, or nobody to read it.
   *
   * @param stallMs - milliseconds in which there has to be
   * @throws {AppError} `STREAM_TOO_SLOW`
   */
  async next(result: object, stallMs: number): Promise<void> {
    if (!this.#response.write(textOf(result))) await roomIn(this.#response, stallMs)
  }

  /** Says that the stream is still there. */
  beat(): void {
    if (!this.#response.writableNeedDrain) this.#response.write(':\n\n')
  }

  /** Says that there is no more, after one last result if there is one. Does not wait for a reader who does not read. */
  complete(last?: object): void {
    const response = this.#response
    if (response.destroyed) return
    response.end(`${last ? textOf(last) : ''}event: complete\ndata:\n\n`)
    const timer = setTimeout(() => response.destroy(), graceMs)
    response.once('close', () => clearTimeout(timer))
  }
}

const textOf = (result: object) => `event: next\ndata: ${JSON.stringify(result)}\n\n`

function roomIn(response: ServerResponse, stallMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = () => {
      clearTimeout(timer)
      response.off('drain', settle)
      response.off('close', settle)
      resolve()
    }
    const timer = setTimeout(() => {
      reject(new AppError('STREAM_TOO_SLOW'))
      settle()
    }, stallMs)
    response.on('drain', settle)
    response.on('close', settle)
  })
}
