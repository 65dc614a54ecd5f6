import { encodePart, signToken } from '../sign-token.ts'
import { bearer, gatewayAttack, type GatewayAttack, tokens } from './gateway-attack.ts'

const unsupported = ['CREDENTIAL_UNSUPPORTED', 'CREDENTIAL_INVALID'] as const

/** Headers by which others are told who calls. */
const identityHeaders = (name: string) =>
  [
    'X-User-Id',
    'X-User',
    'X-Forwarded-User',
    'X-Auth-Request-User',
    'X-Remote-User',
    'Remote-User',
    'X-Tenant',
    'X-Scopes',
  ]
    .flatMap((header) => [header, name])
    .concat('X-User-Roles', 'admin', 'X-Userinfo', encodePart({ sub: name }))

/** A context token as somebody would make it who has read how. */
const madeUpContext = (sub: string) => {
  const now = Math.floor(Date.now() / 1000)
  const claims = { iss: 'behalf/gateway', aud: 'behalf', iat: now, exp: now + 30, sub, scope: 'profile' }
  const hop = { to: 'identity', req: 'x', op: 'query' }
  const header = { typ: 'txntoken+jwt', alg: 'HS256', kid: 'identity/1' }
  return signToken({ header, claims: { ...claims, hop, tctx: { tenant: 'acme', facts: {} } } }, 'made up')
}

/** Where a credential stands, how large it is, and what comes with it (RFC 6750 2, RFC 9110 5.3, 7.6.1 and 11.6.2). */
export const carrierAttacks: readonly GatewayAttack[] = [
  gatewayAttack({
    name: 'a huge token',
    about: 'of 9 to 200 KiB, in one part or in thousands',
    outcome: 'refused',
    codes: ['CREDENTIAL_INVALID', 'CREDENTIAL_UNSUPPORTED', 'PAYLOAD_TOO_LARGE'],
    attempts: async ({ mint }) =>
      tokens({
        '9 KiB': await mint({ claims: { padding: 'x'.repeat(6200) } }),
        '30 KiB': await mint({ claims: { padding: 'x'.repeat(20_000) } }),
        '200 KiB': await mint({ claims: { padding: 'x'.repeat(150_000) } }),
        'thousands of parts': 'a.'.repeat(3500),
        'nested lists': await mint({
          rewrite: ({ header }) => ({ header, payload: `${'['.repeat(2500)}${']'.repeat(2500)}` }),
        }),
      }),
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
    attempts: (_target, token) =>
      [
        `DPoP ${token}`,
        `Basic ${token}`,
        `Token ${token}`,
        `Bearer: ${token}`,
        `Bearer=${token}`,
        token,
        'Bearer',
        '',
      ].map((value) => ({ what: value.slice(0, 12), headers: ['Authorization', value] })),
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
  gatewayAttack({
    name: 'headers that say who calls',
    about: '`X-User-Id` and its like, without a token',
    outcome: 'nobody',
    attempts: () => [{ what: 'usr_ada', headers: identityHeaders('usr_ada') }],
  }),
  gatewayAttack({
    name: 'headers that say who else calls',
    about: 'the same beside an acceptable token of another user',
    outcome: 'itself',
    attempts: (_target, token) => [
      { what: 'identity headers', headers: [...bearer(token), ...identityHeaders('usr_other')] },
      { what: 'a context token', headers: [...bearer(token), 'Txn-Token', madeUpContext('usr_other')] },
      { what: 'a workload token', headers: [...bearer(token), 'Workload-Token', madeUpContext('orchestrator')] },
      {
        what: 'another path and method',
        headers: [...bearer(token), 'X-Original-URL', '/internal/token', 'X-HTTP-Method-Override', 'DELETE'],
      },
    ],
  }),
  gatewayAttack({
    name: "a client's own context token",
    about: 'made up, in `Txn-Token`, once and twice: only subgraphs listen to it',
    outcome: 'nobody',
    attempts: (_target, token) => [
      { what: 'made up', headers: ['Txn-Token', madeUpContext('usr_ada')] },
      { what: 'twice', headers: ['Txn-Token', madeUpContext('usr_ada'), 'Txn-Token', token] },
      { what: 'an access token in its place', headers: ['Txn-Token', token] },
    ],
  }),
  gatewayAttack({
    name: 'a context token as a bearer',
    about: 'made up; one that a subgraph was given is of the same kind',
    outcome: 'refused',
    attempts: () => tokens({ 'made up': madeUpContext('usr_ada') }),
  }),
  gatewayAttack({
    name: 'a bad token that is declared away',
    about: '`Connection` names it as a header of this hop, which proxies drop: it is not taken for none',
    outcome: 'refused',
    attempts: (_target, token) => {
      const forged = `${token.slice(0, -8)}AAAAAAAA`
      return ['Authorization', 'close, Authorization'].map((value) => ({
        what: value,
        headers: ['Connection', value, ...bearer(forged)],
      }))
    },
  }),
  gatewayAttack({
    name: 'a request in two readings',
    about: 'white space before a colon, two lengths, chunks and a length (RFC 9112 5.1 and 6.3)',
    outcome: 'refused',
    codes: ['BAD_REQUEST'],
    attempts: (_target, token) =>
      [[`Authorization : Bearer ${token}`], ['Transfer-Encoding: chunked'], ['Content-Length: 3']].map((more) => ({
        what: more.join().slice(0, 20),
        lines: [...(more[0]?.startsWith('Authorization') ? [] : [`Authorization: Bearer ${token}`]), ...more],
      })),
  }),
]
