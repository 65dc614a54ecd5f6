import { createPublicKey, type JsonWebKey } from 'node:crypto'
import { decodeToken, encodePart, signToken } from '../sign-token.ts'
import { type Attempt, gatewayAttack, type GatewayAttack, type GatewayTarget, tokens } from './gateway-attack.ts'

/** Keys that are not the issuer's, and signatures that are none (RFC 8725 2.1, 2.2, 3.1, 3.9 and 3.10). */
export const signatureAttacks: readonly GatewayAttack[] = [
  gatewayAttack({
    name: 'an unsigned token',
    about: '`alg: none` in several spellings, with an empty, the old or no signature',
    outcome: 'refused',
    attempts: (_target, token) => {
      const { header, claims } = decodeToken(token)
      const [, , signature] = token.split('.')
      return tokens(
        Object.fromEntries(
          ['none', 'None', 'NONE', 'nOnE', '', null].flatMap((alg) => {
            const input = `${encodePart({ ...header, alg })}.${encodePart(claims)}`
            return [
              [`${alg}, empty signature`, `${input}.`],
              [`${alg}, old signature`, `${input}.${signature}`],
              [`${alg}, no signature`, input],
            ]
          }),
        ),
      )
    },
  }),
  gatewayAttack({
    name: 'a public key as a secret',
    about: "HS256, HS384 and HS512 with the issuer's published keys as PEM, DER and JWK, whole and in parts",
    outcome: 'refused',
    attempts: ({ publicKeys }, token) =>
      publicKeys.flatMap((jwk) =>
        Object.entries(spellingsOf(jwk)).flatMap(([form, key]) =>
          ['sha256', 'sha384', 'sha512'].flatMap((hash) => {
            const { header, claims } = decodeToken(token)
            const alg = `HS${hash.slice(3)}`
            return tokens({ [`${alg} with ${form}`]: signToken({ header: { ...header, alg }, claims }, key, hash) })
          }),
        ),
      ),
  }),
  gatewayAttack({
    name: 'a token that brings its key',
    about: '`jwk` and `x5c` in the header, under a new `kid` and under that of the issuer',
    outcome: 'refused',
    attempts: ({ thief: { sign, jwk, certificate } }, token) => {
      const { header, claims } = decodeToken(token)
      const plain = { ...header, alg: 'ES256' }
      return tokens({
        jwk: sign({ ...plain, jwk }, claims),
        'jwk with its kid': sign({ ...plain, kid: 'thief', jwk: { ...jwk, kid: 'thief' } }, claims),
        'jwk without kid': sign({ ...plain, kid: undefined, jwk }, claims),
        x5c: sign({ ...plain, x5c: [certificate] }, claims),
        'x5c without kid': sign({ ...plain, kid: undefined, x5c: [certificate] }, claims),
      })
    },
  }),
  gatewayAttack({
    name: 'a token that says where its key is',
    about: '`jku`, `x5u` and `iss` of a server of the thief, which must not be asked',
    outcome: 'refused',
    attempts: ({ thief: { sign, url } }, token) => {
      const { header, claims } = decodeToken(token)
      const plain = { ...header, alg: 'ES256', kid: 'thief' }
      return tokens({
        jku: sign({ ...plain, jku: `${url}/jwks` }, claims),
        "jku with the issuer's kid": sign({ ...plain, kid: header['kid'], jku: `${url}/jwks` }, claims),
        x5u: sign({ ...plain, x5u: `${url}/certificate` }, claims),
        'kid that is a URL': sign({ ...plain, kid: `${url}/jwks` }, claims),
        iss: sign(plain, { ...claims, iss: url }),
        'iss, and jku': sign({ ...plain, jku: `${url}/jwks` }, { ...claims, iss: url }),
      })
    },
  }),
  gatewayAttack({
    name: 'an injected key id',
    about: '`kid` as a path, as SQL, as a name of JavaScript, of another type, and of 2,000 characters',
    outcome: 'refused',
    attempts: ({ thief }, token) => {
      const { header, claims } = decodeToken(token)
      const names = ['../../../../dev/null', '/dev/null', "' union select 'key", '__proto__', 'constructor', '\0', '']
      const kids = [...names, 'x'.repeat(2000), 0, null, true, ['ES256'], { toString: 'x' }, undefined]
      return kids.flatMap((kid) =>
        tokens({
          [`${JSON.stringify(kid)}, HS256 with nothing`]: signToken(
            { header: { ...header, alg: 'HS256', kid }, claims },
            '',
          ),
          [`${JSON.stringify(kid)}, HS256 with "key"`]: signToken(
            { header: { ...header, alg: 'HS256', kid }, claims },
            'key',
          ),
          [`${JSON.stringify(kid)}, key of the thief`]: thief.sign({ ...header, alg: 'ES256', kid }, claims),
        }),
      )
    },
  }),
  gatewayAttack({
    name: 'a signature that is none',
    about: 'zeros, which some accepted (CVE-2022-21449), one in another form, one of another token, and none that fits',
    outcome: 'refused',
    attempts: async ({ mint, thief }, token) => {
      const [header = '', payload = '', signature = ''] = token.split('.')
      const bytes = Buffer.from(signature, 'base64url')
      const other = (await mint({ claims: { sub: 'somebody else' } })).split('.')[2] ?? ''
      const under = (given: Buffer | string) =>
        `${header}.${payload}.${typeof given === 'string' ? given : given.toString('base64url')}`
      const { header: parameters, claims } = decodeToken(token)
      return tokens({
        zeros: under(Buffer.alloc(bytes.length)),
        'one bit': under(Buffer.concat([bytes.subarray(0, -1), Buffer.of((bytes.at(-1) ?? 0) ^ 128)])),
        DER: under(derOf(bytes)),
        'half of it': under(bytes.subarray(0, bytes.length / 2)),
        'more than it': under(Buffer.concat([bytes, Buffer.of(0)])),
        "another token's": under(other),
        "the thief's": thief.sign({ ...parameters, alg: 'ES256' }, claims),
        ...Object.fromEntries(
          ['RS256', 'PS256', 'ES384', 'ES256K', 'EdDSA', 'HS256'].map((alg) => [
            `under ${alg}`,
            `${encodePart({ ...parameters, alg })}.${payload}.${signature}`,
          ]),
        ),
      })
    },
  }),
  gatewayAttack({
    name: 'another spelling of a token',
    about: 'padding, white space, the other base64 alphabet, and last characters that decode to the same bytes',
    outcome: 'refused',
    codes: ['CREDENTIAL_INVALID', 'CREDENTIAL_UNSUPPORTED'],
    attempts: (_target, token) => {
      const [header = '', payload = '', signature = ''] = token.split('.')
      return tokens({
        'a padded signature': `${token}=`,
        'two paddings': `${token}==`,
        'a padded payload': `${header}.${payload}=.${signature}`,
        'an empty part': `${token}.`,
        'an empty part before it': `.${token}`,
        'white space in it': `${header}. ${payload}.${signature}`,
        'a tab behind it': `${token}\tx`,
        quotes: `"${token}"`,
        'percent encoding': token.replace('.', '%2E'),
        ...Object.fromEntries(sameBytes(signature).map((each) => [each, `${header}.${payload}.${each}`])),
        ...Object.fromEntries(
          ['+', '/', '!'].map((odd) => [`a stray ${odd}`, `${header}.${payload}.${odd}${signature}`]),
        ),
      })
    },
  }),
  gatewayAttack({
    name: 'critical extensions',
    about: '`crit` with what nobody knows, with nothing, and of another type; `b64: false` (RFC 7797 7)',
    outcome: 'refused',
    attempts: ({ mint }) =>
      minted(mint, {
        unknown: { crit: ['urn:example:new'], 'urn:example:new': true },
        'a name that is known': { crit: ['exp'], exp: 1 },
        'an own parameter': { crit: ['alg'] },
        'no name': { crit: [] },
        'a text': { crit: 'exp' },
        'a parameter that is not there': { crit: ['urn:example:new'] },
        'b64: false': { crit: ['b64'], b64: false },
      }),
  }),
]

async function minted(mint: GatewayTarget['mint'], headers: Readonly<Record<string, object>>): Promise<Attempt[]> {
  const made = Object.entries(headers).map(
    async ([what, header]) => [what, await mint({ header: { ...header } })] as const,
  )
  return tokens(Object.fromEntries(await Promise.all(made)))
}

/** A public key in every form in which a verifier may have it at hand. */
function spellingsOf(jwk: JsonWebKey): Record<string, string | Buffer> {
  const key = createPublicKey({ key: jwk, format: 'jwk' })
  const pem = key.export({ format: 'pem', type: 'spki' }).toString()
  const parts = [jwk.x, jwk.n].filter((part) => part !== undefined)
  return {
    PEM: pem,
    'PEM without its last line break': pem.trimEnd(),
    'PEM with carriage returns': pem.replaceAll('\n', '\r\n'),
    'PEM without its frame': pem.replaceAll(/-----.*?-----|\n/g, ''),
    DER: key.export({ format: 'der', type: 'spki' }),
    JWK: JSON.stringify(jwk),
    'a bare JWK': JSON.stringify(key.export({ format: 'jwk' })),
    'a JWK set': JSON.stringify({ keys: [jwk] }),
    'its name': String(jwk['kid']),
    ...Object.fromEntries(parts.map((part) => [`its number ${part.slice(0, 4)}`, part])),
    ...Object.fromEntries(parts.map((part) => [`its bytes ${part.slice(0, 4)}`, Buffer.from(part, 'base64url')])),
  }
}

/** Other texts that decode to the same bytes (RFC 4648 3.5). */
function sameBytes(text: string): string[] {
  const bytes = Buffer.from(text, 'base64url')
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  return alphabet
    .split('')
    .map((character) => text.slice(0, -1) + character)
    .filter((other) => other !== text && Buffer.from(other, 'base64url').equals(bytes))
}

/** An ECDSA signature as ASN.1 has it, where JWS wants two plain numbers (RFC 7518 3.4). */
function derOf(plain: Buffer): Buffer {
  const numbers = [plain.subarray(0, plain.length / 2), plain.subarray(plain.length / 2)].map((number) => {
    const start = number.findIndex((byte) => byte !== 0)
    const short = number.subarray(Math.max(start, 0))
    const content = (short[0] ?? 0) > 127 ? Buffer.concat([Buffer.of(0), short]) : short
    return Buffer.concat([Buffer.of(2, content.length), content])
  })
  const content = Buffer.concat(numbers)
  return Buffer.concat([Buffer.of(0x30, content.length), content])
}
