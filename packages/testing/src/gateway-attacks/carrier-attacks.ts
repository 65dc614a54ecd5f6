import { encodePart } from '../sign-token.ts'
import { bearer, gatewayAttack, type GatewayAttack, tokens } from './gateway-attack.ts'

const unsupported = ['CREDENTIAL_UNSUPPORTED', 'CREDENTIAL_INVALID'] as const

/** How large a credential is, and where it stands (RFC 6750 2, RFC 9110 5.3 and 11.6.2). */
export const carrierAttacks: readonly GatewayAttack[] = [
  gatewayAttack({
    name: 'a huge token',
    about: 'of 9 to 200 KiB, in one part or in thousands',
    outcome: 'refused',
    codes: ['CREDENTIAL_INVALID', 'CREDENTIAL_UNSUPPORTED', 'PAYLOAD_TOO_LARGE'],
    attempts: async ({ mint }) => {
      const padded = (length: number) => mint({ claims: { padding: 'x'.repeat(length) } })
      const lists = `${'['.repeat(2500)}${']'.repeat(2500)}`
      return [
        ...tokens({
          '9 KiB': await padded(6200),
          '30 KiB': await padded(20_000),
          '200 KiB': await padded(150_000),
          'thousands of parts': 'a.'.repeat(3500),
          'nested lists': await mint({ rewrite: ({ header }) => ({ header, payload: lists }) }),
        }),
        { what: '3 KiB', headers: bearer(await padded(2000)), passes: true },
      ]
    },
  }),
  gatewayAttack({
    name: 'a token in a token',
    about: 'encrypted (JWE), nested, or in one of the JSON serializations',
    outcome: 'refused',
    codes: unsupported,
    attempts: async ({ mint }, token) => {
      const [header, payload, signature] = token.split('.')
      const jwe = encodePart({ alg: 'dir', enc: 'A256GCM' })
      const nested = await mint({ header: { cty: 'JWT' }, rewrite: (texts) => ({ ...texts, payload: token }) })
      return tokens({
        JWE: `${jwe}..${'A'.repeat(16)}.${payload}.${'A'.repeat(22)}`,
        'JWE of a password, to be hashed for hours': `${encodePart({ alg: 'PBES2-HS256+A128KW', enc: 'A256GCM', p2c: 2 ** 31 - 1, p2s: 'AAAA' })}.AAAA.AAAA.${payload}.AAAA`,
        'JWE with a key': `${encodePart({ alg: 'RSA-OAEP', enc: 'A256GCM' })}.AAAA.AAAA.${payload}.AAAA`,
        nested,
        'nested in quotes': await mint({ rewrite: (texts) => ({ ...texts, payload: JSON.stringify(token) }) }),
        'no object': await mint({ rewrite: (texts) => ({ ...texts, payload: '[]' }) }),
        'no JSON': await mint({ rewrite: (texts) => ({ ...texts, payload: '{' }) }),
        'JSON serialization': JSON.stringify({ protected: header, payload, signature }),
      })
    },
  }),
  gatewayAttack({
    name: 'two credentials',
    about: "two headers, two tokens in one, a token and a proof: which of them counts is nobody's guess",
    outcome: 'refused',
    codes: unsupported,
    attempts: async ({ mint }, token) => {
      const other = await mint()
      const forged = `${token.slice(0, -8)}AAAAAAAA`
      return [
        { what: 'the same twice', headers: [...bearer(token), ...bearer(token)] },
        { what: 'two of one user', headers: [...bearer(token), ...bearer(other)] },
        { what: 'a forged one first', headers: [...bearer(forged), ...bearer(token)] },
        { what: 'a forged one last', headers: [...bearer(token), 'AUTHORIZATION', `Bearer ${forged}`] },
        { what: 'another scheme first', headers: ['Authorization', 'Basic YWRhOmFkYQ==', ...bearer(token)] },
        { what: 'joined by a comma', headers: ['Authorization', `Bearer ${token}, Bearer ${forged}`] },
        { what: 'joined without a space', headers: ['Authorization', `Bearer ${token},${forged}`] },
        { what: 'a proof beside it', headers: [...bearer(token), 'DPoP', token] },
        { what: 'one in the URL besides', headers: bearer(token), search: `?access_token=${other}` },
      ]
    },
  }),
  gatewayAttack({
    name: 'another scheme',
    about: "a good token that is not shown as a bearer's",
    outcome: 'refused',
    codes: unsupported,
    attempts: (_target, token) => {
      const values = ['DPoP ', 'Basic ', 'Token ', 'Bearer: ', 'Bearer=', ''].map((scheme) => scheme + token)
      return [
        ...[...values, 'Bearer', ''].map((value) => ({ what: value.slice(0, 12), headers: ['Authorization', value] })),
        // A scheme has no case (RFC 9110 11.1).
        { what: 'bearer', headers: ['Authorization', `bearer ${token}`], passes: true },
      ]
    },
  }),
  gatewayAttack({
    name: 'a token in the URL',
    about: '`?access_token=`, which ends up in logs (RFC 6750 2.3)',
    outcome: 'refused',
    codes: unsupported,
    attempts: (_target, token) =>
      [`?access_token=${token}`, `?a=b&access_token=${token}`, `?access%5Ftoken=${token}`].map((search) => ({
        what: search.slice(0, 20),
        search,
      })),
  }),
  gatewayAttack({
    name: 'a token in another place',
    about: 'cookies, other headers, the body',
    outcome: 'nobody',
    attempts: (_target, token) => [
      ...['access_token', 'token', 'session', 'Authorization'].map((name) => ({
        what: `cookie ${name}`,
        headers: ['Cookie', `${name}=${token}`],
      })),
      ...['X-Authorization', 'Proxy-Authorization', 'X-Access-Token', 'X-Forwarded-Access-Token', 'Authorization_'].map(
        (name) => ({ what: name, headers: [name, `Bearer ${token}`] }),
      ),
      { what: 'a member of the body', body: { access_token: token } },
      { what: 'an extension of the body', body: { extensions: { authorization: `Bearer ${token}` } } },
    ],
  }),
]
