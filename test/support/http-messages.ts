import { brotliDecompressSync, constants, gunzipSync, inflateSync } from 'node:zlib'

/** A request or an answer, with its body as it was before it was chunked and compressed. */
export interface HttpMessage {
  readonly startLine: string
  /** Lower-case names. */
  readonly headers: ReadonlyMap<string, string>
  readonly body: Buffer
}

/**
 * The HTTP/1.1 messages of one direction of a connection (RFC 9112), one after another. One that was broken off is the last.
 *
 * @throws for anything else: what cannot be read must not pass for read
 */
export function readHttpMessages(stream: Buffer): HttpMessage[] {
  const messages: HttpMessage[] = []
  for (let at = 0; at < stream.length;) {
    const end = stream.indexOf('\r\n\r\n', at)
    const [startLine = '', ...lines] = stream.toString('latin1', at, end < 0 ? undefined : end).split('\r\n')
    if (!/^(HTTP\/1\.1 \d{3}|[A-Z]+ \S+ HTTP\/1\.1$)/.test(startLine)) throw new Error(`Not HTTP/1.1: ${startLine}`)
    const headers = new Map(
      lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
    )
    const start = end < 0 ? stream.length : end + 4
    const raw = readBody(stream.subarray(start), startLine, headers)
    messages.push({ startLine, headers, body: decompress(raw.body, headers.get('content-encoding')) })
    at = start + raw.length
  }
  return messages
}

/** @returns the body, and how many bytes of the stream it took (RFC 9112, section 6.3) */
function readBody(rest: Buffer, startLine: string, headers: ReadonlyMap<string, string>) {
  if (/^HTTP\/1\.1 (1\d\d|204|304)/.test(startLine)) return { body: Buffer.alloc(0), length: 0 }
  if (headers.get('transfer-encoding') === 'chunked') return readChunks(rest)
  const until = startLine.startsWith('HTTP/') ? rest.length : 0
  const length = Math.min(Number(headers.get('content-length') ?? until), rest.length)
  return { body: rest.subarray(0, length), length }
}

function readChunks(rest: Buffer) {
  const chunks: Buffer[] = []
  for (let at = 0; at < rest.length;) {
    const line = rest.indexOf('\r\n', at)
    const size = Number.parseInt(rest.toString('latin1', at, line), 16)
    if (line < 0 || size === 0) return { body: Buffer.concat(chunks), length: line < 0 ? rest.length : line + 4 }
    chunks.push(rest.subarray(line + 2, line + 2 + size))
    at = line + 2 + size + 2
  }
  return { body: Buffer.concat(chunks), length: rest.length }
}

function decompress(body: Buffer, encoding = 'identity'): Buffer {
  if (encoding === 'identity' || body.length === 0) return body
  // As far as it goes, if it was broken off.
  const options = { finishFlush: constants.Z_SYNC_FLUSH }
  if (encoding === 'gzip') return gunzipSync(body, options)
  if (encoding === 'deflate') return inflateSync(body, options)
  if (encoding === 'br') return brotliDecompressSync(body, { finishFlush: constants.BROTLI_OPERATION_FLUSH })
  throw new Error(`Not read: content-encoding ${encoding}`)
}
