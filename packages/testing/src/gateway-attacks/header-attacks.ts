import { encodePart, signToken } from '../sign-token.ts'
import { bearer, gatewayAttack, type GatewayAttack, tokens } from './gateway-attack.ts'

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

/** What comes with a credential, or in its place (RFC 9110 7.6.1, RFC 9112 5.1 and 6.3). */
export const headerAttacks: readonly GatewayAttack[] = [
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
    attempts: (_target, token) => {
      const line = `Authorization: Bearer ${token}`
      return [
        { what: 'a space before the colon', lines: [line.replace(':', ' :')] },
        { what: 'chunks and a length', lines: [line, 'Transfer-Encoding: chunked'] },
        { what: 'two lengths', lines: [line, 'Content-Length: 3'] },
        { what: 'none of it', lines: [line], passes: true },
      ]
    },
  }),
]
