import { once } from 'node:events'
import { createServer, request as httpRequest } from 'node:http'
import type { AddressInfo } from 'node:net'

/**
 * Adds a bearer to every request, for a program that cannot send one. Everything else goes on as it came, `Host` and
 * `Origin` too.
 */
export async function startBearerProxy(
  to: string,
  token: string,
): Promise<AsyncDisposable & { readonly port: number }> {
  const target = new URL(to)
  const server = createServer((request, response) => {
    const { method, url, headers } = request
    const passed = httpRequest(
      {
        host: target.hostname,
        port: target.port,
        method,
        path: url,
        headers: { ...headers, authorization: `Bearer ${token}` },
      },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers)
        answer.pipe(response)
      },
    )
    passed.on('error', () => response.destroy())
    request.pipe(passed)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
