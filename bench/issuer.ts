import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'

/** An OpenID provider's documents and key, and tokens of whomever one likes. */
export interface Issuer {
  readonly url: string
  /** An access token for `audience`, good for four hours. */
  mint(subject: string, token: { readonly audience: string; readonly scope: string }): Promise<string>
  close(): void
}

export async function startIssuer(): Promise<Issuer> {
  const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true })
  const keys = [{ ...(await exportJWK(publicKey)), kid: 'bench', alg: 'ES256', use: 'sig' }]
  const server = createServer((request, response) => {
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify(request.url === '/jwks' ? { keys } : { issuer: url, jwks_uri: `${url}/jwks` }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url,
    mint: (subject, { audience, scope }) =>
      new SignJWT({ scope, client_id: 'bench', tenant: 'acme' })
        .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: 'bench' })
        .setIssuer(url)
        .setAudience(audience)
        .setSubject(subject)
        .setJti(subject)
        .setIssuedAt()
        .setExpirationTime('4h')
        .sign(privateKey),
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
}
