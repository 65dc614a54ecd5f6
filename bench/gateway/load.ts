import { Pool } from 'undici'

export interface Measured {
  readonly requests: number
  readonly seconds: number
  /** Milliseconds that half of the requests took at most. */
  readonly p50: number
  readonly wrong: number
}

/** Sends requests for some seconds, but no more than so many, always some at once; every answer is compared with what it has to be. */
export async function load(options: {
  readonly url: string
  readonly connections: number
  readonly requests: number
  /** Default: for as long as it takes. */
  readonly seconds?: number
  /** Body, token (null: without one) and further headers of the next request, and JSON that its answer has in it. */
  readonly next: () => {
    readonly body: string
    readonly token: string | null
    readonly headers: readonly string[]
    readonly expected: string
  }
}): Promise<Measured> {
  const { origin, pathname } = new URL(options.url)
  const pool = new Pool(origin, { connections: options.connections, headersTimeout: 20_000, bodyTimeout: 20_000 })
  let requests = 0
  let wrong = 0
  const begun = performance.now()
  let sent = 0
  const durations: number[] = []

  const one = () =>
    new Promise<void>((resolve) => {
      const { body, token, headers: further, expected } = options.next()
      const sentAt = performance.now()
      const headers = [
        'content-type',
        'application/json',
        'accept',
        'application/json, text/event-stream',
        ...further,
        ...(token === null ? [] : ['authorization', `Bearer ${token}`]),
      ]
      const chunks: Buffer[] = []
      pool.dispatch(
        { method: 'POST', path: pathname, headers, body },
        {
          onRequestStart() {},
          onResponseStart() {},
          onResponseData: (_controller, chunk) => void chunks.push(chunk),
          onResponseEnd() {
            requests++
            durations.push(performance.now() - sentAt)
            const text = Buffer.concat(chunks).toString()
            if (!text.includes(expected) && wrong++ === 0) console.error(text.slice(0, 500))
            resolve()
          },
          onResponseError(_controller, error) {
            requests++
            if (wrong++ === 0) console.error(error)
            resolve()
          },
        },
      )
    })
  const worker = async () => {
    while (sent++ < options.requests && performance.now() < begun + (options.seconds ?? Infinity) * 1000) await one()
  }
  await Promise.all(Array.from({ length: options.connections }, worker))
  const seconds = (performance.now() - begun) / 1000
  await pool.close()
  const p50 = durations.toSorted((a, b) => a - b)[durations.length >> 1] ?? Number.NaN
  return { requests, seconds, p50, wrong }
}
