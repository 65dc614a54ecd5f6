import { createServer } from 'node:http'
import { once } from 'node:events'
import { generateKeyPairSync, type JsonWebKey, sign } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { encodePart } from '../sign-token.ts'
import { selfSignedCertificate } from './self-signed-certificate.ts'

/** Somebody who makes tokens for others, and publishes keys for them. */
export interface Thief extends AsyncDisposable {
  /** Of a server with discovery, keys and a certificate. */
  readonly url: string
  /** Paths that somebody asked for: nobody should. */
  readonly asked: readonly string[]
  readonly jwk: JsonWebKey
  /** Of the same key, base64 DER. */
  readonly certificate: string
  /** A token with this header and these claims, signed with ES256. */
  sign(header: object, claims: object): string
}

export async function startThief(): Promise<Thief> {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const jwk = publicKey.export({ format: 'jwk' })
  const certificate = selfSignedCertificate(privateKey, publicKey)
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(request.url ?? '')
    const keys = [
      { ...jwk, use: 'sig' },
      { ...jwk, use: 'sig', kid: 'thief', x5c: [certificate] },
    ]
    const document = { issuer: url, jwks_uri: `${url}/jwks`, keys }
    response.setHeader('content-type', 'application/json').end(JSON.stringify(document))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url,
    asked,
    jwk,
    certificate,
    sign(header, claims) {
      const input = `${encodePart(header)}.${encodePart(claims)}`
      const signature = sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' })
      return `${input}.${signature.toString('base64url')}`
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
