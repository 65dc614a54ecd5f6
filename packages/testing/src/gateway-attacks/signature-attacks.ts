import { decodeToken, encodePart } from '../sign-token.ts'
import { bearer, gatewayAttack, type GatewayAttack, minted, tokens } from './gateway-attack.ts'

/** Signatures that are none, are of something else, or are spelled in another way (RFC 8725 2.2, 3.2 and 3.3). */
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
    name: 'a signature that is none',
    about: 'zeros, which some accepted (CVE-2022-21449), one in another form, one of another token, and none that fits',
    outcome: 'refused',
    attempts: async ({ mint, thief }, token) => {
      const [header = '', payload = '', signature = ''] = token.split('.')
      const bytes = Buffer.from(signature, 'base64url')
      // As good as zero in the arithmetic of the curve.
      const order = Buffer.from('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551', 'hex')
      const other = (await mint({ claims: { sub: 'somebody else' } })).split('.')[2] ?? ''
      const under = (given: Buffer | string) =>
        `${header}.${payload}.${typeof given === 'string' ? given : given.toString('base64url')}`
      const { header: parameters, claims } = decodeToken(token)
      return tokens({
        zeros: under(Buffer.alloc(bytes.length)),
        'the order of the curve P-256': under(Buffer.concat([order, order])),
        nothing: under(''),
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
    name: 'a token that was changed',
    about: 'other claims under the signature of a token that was just accepted, or under its `jti`',
    outcome: 'refused',
    attempts: ({ thief }, token) => {
      const [head, , signature] = token.split('.')
      const { header, claims } = decodeToken(token)
      const changes = [{ sub: 'somebody else' }, { scope: 'everything' }, { exp: 2 ** 32 }, { aud: 'elsewhere' }]
      return tokens({
        ...Object.fromEntries(
          changes.map((change) => [
            `${Object.keys(change).join()} is another`,
            `${head}.${encodePart({ ...claims, ...change })}.${signature}`,
          ]),
        ),
        'its jti': thief.sign({ ...header, alg: 'ES256' }, { ...claims, sub: 'somebody else' }),
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
    attempts: async ({ mint }) => [
      ...(await minted(mint, {
        unknown: { header: { crit: ['urn:example:new'], 'urn:example:new': true } },
        'a name that is known': { header: { crit: ['exp'], exp: 1 } },
        'an own parameter': { header: { crit: ['alg'] } },
        'no name': { header: { crit: [] } },
        'a text': { header: { crit: 'exp' } },
        'a parameter that is not there': { header: { crit: ['urn:example:new'] } },
        'b64: false': { header: { crit: ['b64'], b64: false } },
      })),
      // What is not critical is passed over (RFC 7515 4).
      { what: 'not critical', headers: bearer(await mint({ header: { 'urn:example:new': true } })), passes: true },
    ],
  }),
]

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
