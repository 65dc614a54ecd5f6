import { createPublicKey, type JsonWebKey } from 'node:crypto'
import { decodeToken, signToken } from '../sign-token.ts'
import { gatewayAttack, type GatewayAttack, tokens } from './gateway-attack.ts'

/** Keys that are not the issuer's, or not what they are taken for (RFC 8725 2.1, 3.1, 3.9 and 3.10). */
export const keyAttacks: readonly GatewayAttack[] = [
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
]

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
