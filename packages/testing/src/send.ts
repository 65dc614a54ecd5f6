import { request } from 'node:http'

/** An HTTP request that is sent as it stands. */
export interface RawRequest {
  readonly method?: string
  /** Names and values in turn; a name may come twice. */
  readonly headers: readonly string[]
  readonly body: Uint8Array
}

export interface RawAnswer {
  readonly status: number
  readonly body: string
}

/** Sends what no well-behaved client would: two headers of one name, a body that does not fit its token. */
export async function send(url: string, { method = 'POST', headers, body }: RawRequest): Promise<RawAnswer> {
  const answer = Promise.withResolvers<RawAnswer>()
  const { host } = new URL(url)
  const outgoing = request(url, { method, headers: ['Host', host, ...headers], agent: false }, (incoming) => {
    const chunks: Buffer[] = []
    incoming
      .on('data', (chunk: Buffer) => chunks.push(chunk))
      .on('end', () => answer.resolve({ status: incoming.statusCode ?? 0, body: Buffer.concat(chunks).toString() }))
      .on('error', answer.reject)
  })
  outgoing.on('error', answer.reject)
  outgoing.end(body)
  return answer.promise
}
