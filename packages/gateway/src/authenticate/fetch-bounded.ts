import { request } from 'undici'

const maxBytes = 256 * 1024
const timeout = 5000

/**
 * Reads a small document of an identity provider: https outside loopback, no redirect followed, at most 256 KiB
 * and 5 seconds. A key server that is slow, huge or points elsewhere is an error, not a burden.
 */
export async function fetchBounded(location: string): Promise<Response> {
  const url = new URL(location)
  if (url.protocol !== 'https:' && !isLoopback(url)) throw new Error(`${url.origin} must be https`)
  const { statusCode, body } = await request(url, {
    method: 'GET',
    headers: { accept: 'application/json' },
    signal: AbortSignal.timeout(timeout),
  })
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of body as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > maxBytes) throw new Error(`${url.href} is larger than ${maxBytes} bytes`)
    chunks.push(chunk)
  }
  return new Response(Buffer.concat(chunks), { status: statusCode, headers: { 'content-type': 'application/json' } })
}

const isLoopback = ({ protocol, hostname }: URL) =>
  protocol === 'http:' && (hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d+){3}$/.test(hostname))
