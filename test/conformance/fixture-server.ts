import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { contextTokenHeader, createContextSigner, deriveContextKeys } from '@behalf/identity'
import { createToolServer } from '@behalf/mcp'
import { testPrincipal } from '@behalf/testing'
import { v7 as uuidv7 } from 'uuid'
import { extendServer } from './extend-server.ts'
import { fixtureTools, verifyState } from './fixture-tools.ts'

/**
 * A tool server with the fixtures of the official suite, and before it a host that asks it as a host inside the trust domain
 * does: the suite can send no header, so each of its requests is given a context token there.
 */
export async function startFixtureServer(): Promise<AsyncDisposable & { readonly url: string }> {
  const rootKey = randomBytes(32).toString('base64url')
  const receiver = 'conformance'
  const server = createToolServer({
    name: 'conformance',
    version: '1.0.0',
    receiver,
    contextKeys: deriveContextKeys(rootKey, receiver, [1]),
    tools: fixtureTools,
    extend: extendServer,
    verifyState,
  })
  const { url } = await server.listen({ port: 0 })
  const signer = createContextSigner({ rootKey, trustDomain: 'behalf' })
  const principal = testPrincipal('ada')

  const host = createServer((request, response) => {
    void (async () => {
      const body = Buffer.concat(await request.toArray())
      const { method = '', headers } = request
      // A server inside the trust domain is asked by POST only.
      if (method !== 'POST') return response.writeHead(405, { allow: 'POST' }).end()
      const declared = { facts: [], scopes: [] }
      const token = signer.sign(principal, { to: receiver, body, operation: 'query', txn: uuidv7(), ...declared })
      const passed = Object.entries(headers).filter(
        ([name]) => !/^(host|connection|content-length|transfer-encoding)$/.test(name),
      )
      const gone = new AbortController()
      response.once('close', () => gone.abort())
      const answer = await fetch(url, {
        method,
        headers: [
          ...passed.map(([name, value]) => [name, String(value)] as [string, string]),
          [contextTokenHeader, token],
        ],
        body,
        signal: gone.signal,
      })
      response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? 'text/plain' })
      for await (const chunk of answer.body ?? []) response.write(chunk)
      return response.end()
    })().catch(() => response.destroy())
  })
  host.listen(0, '127.0.0.1')
  await once(host, 'listening')
  return {
    url: `http://127.0.0.1:${(host.address() as AddressInfo).port}/mcp`,
    async [Symbol.asyncDispose]() {
      host.closeAllConnections()
      host.close()
      await server.close()
    },
  }
}
