import { request } from 'undici'

const maxBytes = 256 * 1024
const defaultTimeout = 5000

/**
 * Reads a small document of an identity provider: https outside loopback, no redirect followed, at most 256 KiB
 * and 5 seconds. A key server that is slow, huge or points elsewhere is an error, not a burden.
 */
export async function fetchBounded(
  location: string,
  timeout = defaultTimeout,
): Promise<{ readonly status: number; readonly text: string }> {
  const url = new URL(location)
  requireSecure(url)
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
  return { status: statusCode, text: Buffer.concat(chunks).toString('utf8') }
}

/**
 * @param loopback - whether plain http is accepted of this machine
 * @throws {TypeError} for a URL whose answers anybody on the way could have written
 */
export function requireSecure(url: URL, { loopback = true } = {}): void {
  if (url.protocol !== 'https:' && !(loopback && isLoopback(url))) throw new TypeError(`${url.origin} must be https.`)
}

const isLoopback = ({ protocol, hostname }: URL) =>
  protocol === 'http:' && (hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d+){3}$/.test(hostname))
