import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { serveJson } from './serve-json.ts'
import { signEs256 } from './sign-token.ts'

/** How a token differs from one that is accepted. */
export interface TokenChange {
  /** Claims in place of its own; undefined leaves one out. */
  readonly claims?: Readonly<Record<string, unknown>>
  /** Header parameters in place of its own; undefined leaves one out. */
  readonly header?: Readonly<Record<string, unknown>>
  /** Changes the JSON texts of both before they are encoded and signed: for what no library would write. */
  readonly rewrite?: (json: TokenTexts) => TokenTexts
}

export interface TokenTexts {
  readonly header: string
  readonly payload: string
}

/** Makes a token with an issuer's own keys: an acceptable one, or one that differs from it. */
export type Mint = (change?: TokenChange) => Promise<string>

export interface TestIssuer extends AsyncDisposable {
  /** `iss`, on loopback; discovery and keys are there. */
  readonly issuer: string
  readonly mint: Mint
  close(): Promise<void>
}

export interface TestIssuerOptions {
  /** `aud` of an acceptable token. */
  readonly audience: string
  /** Its other claims, such as `{ sub: 'ada', client_id: 'behalf-cli' }`. */
  readonly claims?: Readonly<Record<string, unknown>>
  readonly port?: number
}

/**
 * Starts an issuer whose keys are made for this test. It signs whatever it is asked to, with ES256, and publishes an
 * RSA key besides, as issuers do that change from one to the other.
 */
export async function testIssuer({ audience, claims: own = {}, port = 0 }: TestIssuerOptions): Promise<TestIssuer> {
  const keys = {
    ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
    RS256: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  }
  const published = Object.entries(keys).map(([alg, { publicKey }]) => {
    return { ...publicKey.export({ format: 'jwk' }), alg, use: 'sig', kid: alg }
  })
  const { url: issuer, close } = await serveJson(
    (path, url) => (path === '/jwks' ? { keys: published } : { issuer: url, jwks_uri: `${url}/jwks` }),
    port,
  )

  const mint: Mint = ({ claims = {}, header = {}, rewrite = (texts: TokenTexts) => texts } = {}) => {
    const iat = Math.floor(Date.now() / 1000)
    const texts = rewrite({
      header: JSON.stringify({ typ: 'at+jwt', alg: 'ES256', kid: 'ES256', ...header }),
      payload: JSON.stringify({
        iss: issuer,
        aud: audience,
        sub: 'ada',
        client_id: 'test',
        iat,
        exp: iat + 300,
        jti: randomUUID(),
        ...own,
        ...claims,
      }),
    })
    const input = [texts.header, texts.payload].map((text) => Buffer.from(text).toString('base64url')).join('.')
    return Promise.resolve(signEs256(input, keys.ES256.privateKey))
  }
  return { issuer, mint, close, [Symbol.asyncDispose]: close }
}
