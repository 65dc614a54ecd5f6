import { request } from 'node:http'
import { connect } from 'node:net'

/** An HTTP request that is sent as it stands. */
export interface RawRequest {
  readonly method?: string
  /** Behind the path, such as `?a=b`. */
  readonly search?: string
  /** Names and values in turn; a name may come twice. */
  readonly headers: readonly string[]
  /** Null: it is announced and never comes. */
  readonly body: Uint8Array | null
}

export interface RawAnswer {
  readonly status: number
  readonly body: string
}

/** Sends what no well-behaved client would: two headers of one name, a body that does not fit its token. */
export async function send(
  url: string,
  { method = 'POST', search = '', headers, body }: RawRequest,
): Promise<RawAnswer> {
  const answer = Promise.withResolvers<RawAnswer>()
  const { host, hostname, port, pathname } = new URL(url)
  // Not by URL, which would be tidied up.
  const to = { hostname, port, path: pathname + search, method, headers: ['Host', host, ...headers], agent: false }
  const outgoing = request(to, (incoming) => {
    const chunks: Buffer[] = []
    incoming
      .on('data', (chunk: Buffer) => chunks.push(chunk))
      .on('end', () => {
        answer.resolve({ status: incoming.statusCode ?? 0, body: Buffer.concat(chunks).toString() })
        outgoing.destroy()
      })
      .on('error', answer.reject)
  })
  outgoing.on('error', answer.reject)
  if (body === null) outgoing.flushHeaders()
  else outgoing.end(body)
  return answer.promise
}

/** Sends header lines that node's client would refuse to. */
export async function sendLines(url: string, lines: readonly string[], body: Uint8Array): Promise<RawAnswer> {
  const { host, hostname, port, pathname } = new URL(url)
  const socket = connect(Number(port), hostname)
  const head = [`POST ${pathname} HTTP/1.1`, `Host: ${host}`, 'Connection: close', ...lines]
  socket.write(Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`, 'latin1'), body]))
  // Not before: whoever closes their end is taken for gone. A server that waits for more is told that there is none.
  socket.setTimeout(5000, () => socket.end())
  const text = Buffer.concat((await socket.toArray()) as Buffer[]).toString()
  const [, status = '0'] = /^HTTP\/1\.1 (\d{3})/.exec(text) ?? []
  return { status: Number(status), body: text.slice(text.indexOf('\r\n\r\n') + 4) }
}
