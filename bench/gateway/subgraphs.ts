import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { canned } from './graph.ts'

/** Subgraphs that cost next to nothing, and an issuer's documents. They check no token: what that costs is another matter. */
export async function startSubgraphs(jwks: object): Promise<{
  readonly urls: Readonly<Record<string, string>>
  readonly issuer: string
  close(): void
}> {
  const servers = await Promise.all(
    Object.entries(canned).map(async ([name, text]) => {
      const body = Buffer.from(text)
      const head = { 'content-type': 'application/json', 'content-length': body.length }
      const server = createServer((request, response) => {
        request.resume().on('end', () => response.writeHead(200, head).end(body))
      })
      return { name, server, url: await listen(server) }
    }),
  )
  const provider = createServer((request, response) => {
    const isKeys = request.url === '/jwks'
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify(isKeys ? jwks : { issuer, jwks_uri: `${issuer}/jwks` }))
  })
  const issuer = await listen(provider)
  return {
    urls: Object.fromEntries(servers.map(({ name, url }) => [name, url])),
    issuer,
    close() {
      for (const { server } of [...servers, { server: provider }]) (server.closeAllConnections(), server.close())
    },
  }
}

async function listen(server: ReturnType<typeof createServer>): Promise<string> {
  server.keepAliveTimeout = 60_000
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
