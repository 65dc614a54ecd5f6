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
  let url = ''
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
      const session = answer.headers.get('mcp-session-id')
      response.writeHead(answer.status, {
        'content-type': answer.headers.get('content-type') ?? 'text/plain',
        ...(session !== null && { 'mcp-session-id': session }),
      })
      response.flushHeaders()
      for await (const chunk of answer.body ?? []) response.write(chunk)
      return response.end()
    })().catch(() => response.destroy())
  })
  host.listen(0, '127.0.0.1')
  await once(host, 'listening')
  const origin = `http://127.0.0.1:${(host.address() as AddressInfo).port}`
  const server = createToolServer({
    name: 'conformance',
    version: '1.0.0',
    receiver,
    contextKeys: deriveContextKeys(rootKey, receiver, [1]),
    tools: fixtureTools,
    extend: extendServer,
    verifyState,
    sessions: {},
    // The suite asks as a page of the server's own would, too.
    origins: [origin],
  })
  ;({ url } = await server.listen({ port: 0 }))
  return {
    url: `${origin}/mcp`,
    async [Symbol.asyncDispose]() {
      host.closeAllConnections()
      host.close()
      await server.close()
    },
  }
}
