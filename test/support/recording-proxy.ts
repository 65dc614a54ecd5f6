import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A request as it went over the wire, and its answer. */
export interface Exchange {
  readonly method: string
  readonly url: string
  /** Names and values in turn. */
  readonly rawHeaders: readonly string[]
  readonly body: string
  readonly status: number
  /** Empty for a stream, which is passed on as it comes. */
  readonly answer: string
}

export interface RecordingProxy extends AsyncDisposable {
  readonly url: string
  readonly exchanges: Exchange[]
  /** One of the request headers, exactly as sent. */
  header(exchange: Exchange, name: string): string | undefined
}

/** Stands between two of our processes, and keeps what they say. */
export async function recordingProxy(target: string): Promise<RecordingProxy> {
  const exchanges: Exchange[] = []
  const server: Server = createServer((request, response) => {
    void (async () => {
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk as Buffer)
      const body = Buffer.concat(chunks)
      const { method = '', url = '', rawHeaders } = request
      const gone = new AbortController()
      response.once('close', () => gone.abort())
      const forwarded = await fetch(new URL(url, target), {
        method,
        signal: gone.signal,
        headers: pairs(rawHeaders).filter(
          ([name]) => !/^(host|connection|content-length|transfer-encoding)$/i.test(name),
        ),
        ...(body.length > 0 && { body }),
      })
      if (forwarded.headers.get('content-type')?.startsWith('text/event-stream')) {
        exchanges.push({ method, url, rawHeaders, body: body.toString(), status: forwarded.status, answer: '' })
        response.writeHead(forwarded.status, { 'content-type': 'text/event-stream' }).flushHeaders()
        for await (const chunk of forwarded.body ?? []) response.write(chunk)
        response.end()
        return
      }
      const answer = await forwarded.text()
      exchanges.push({ method, url, rawHeaders, body: body.toString(), status: forwarded.status, answer })
      response.writeHead(forwarded.status, { 'content-type': forwarded.headers.get('content-type') ?? 'text/plain' })
      response.end(answer)
    })().catch(() => response.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    exchanges,
    header: ({ rawHeaders }, name) => pairs(rawHeaders).find(([given]) => given.toLowerCase() === name)?.[1],
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

const pairs = (rawHeaders: readonly string[]): [string, string][] =>
  rawHeaders.flatMap((name, index) =>
    index % 2 === 0 ? [[name, rawHeaders[index + 1] ?? ''] as [string, string]] : [],
  )
