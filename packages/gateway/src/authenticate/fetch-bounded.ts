import { request } from 'undici'
import { requireSecure } from './require-secure.ts'

export interface FetchBounds {
  /** Milliseconds to the last byte. Default 5,000. */
  readonly timeoutMs?: number
  /** Default 256 KiB. */
  readonly maxBytes?: number
  readonly headers?: Readonly<Record<string, string>>
  /** Nobody waits for it any more. */
  readonly signal?: AbortSignal
}

export interface FetchedDocument {
  readonly status: number
  /** Null where there is none, or none that could be sent back. */
  readonly etag: string | null
  readonly text: string
}

/**
 * Reads a document that somebody else serves: https outside loopback, no redirect followed, bounded in size and time. A
 * server that is slow, huge or points elsewhere is an error, not a burden. No message has more of the URL than its origin
 * and path.
 */
export async function fetchBounded(
  location: string,
  { timeoutMs = 5000, maxBytes = 256 * 1024, headers = {}, signal: given }: FetchBounds = {},
): Promise<FetchedDocument> {
  const url = new URL(location)
  requireSecure(url)
  const late = AbortSignal.timeout(timeoutMs)
  const {
    statusCode,
    headers: answered,
    body,
  } = await request(url, {
    method: 'GET',
    headers: { accept: 'application/json', ...headers },
    signal: given === undefined ? late : AbortSignal.any([late, given]),
  })
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of body as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > maxBytes) throw new Error(`${url.origin}${url.pathname} is larger than ${maxBytes} bytes`)
    chunks.push(chunk)
  }
  const etag = String(answered.etag ?? '')
  return {
    status: statusCode,
    etag: entityTag.test(etag) ? etag : null,
    text: Buffer.concat(chunks).toString('utf8'),
  }
}

/** RFC 9110 8.8.3, of a length that may be sent back. */
const entityTag = /^(W\/)?"[\x21\x23-\x7e]{0,500}"$/
