import { generateKeyPairSync, type JsonWebKey } from 'node:crypto'
import { serveJson } from '../serve-json.ts'
import { encodePart, signEs256 } from '../sign-token.ts'
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
  const { url, close } = await serveJson((path, own) => {
    asked.push(path)
    const keys = [
      { ...jwk, use: 'sig' },
      { ...jwk, use: 'sig', kid: 'thief', x5c: [certificate] },
    ]
    return { issuer: own, jwks_uri: `${own}/jwks`, keys }
  })
  return {
    url,
    asked,
    jwk,
    certificate,
    sign: (header, claims) => signEs256(`${encodePart(header)}.${encodePart(claims)}`, privateKey),
    [Symbol.asyncDispose]: close,
  }
}
