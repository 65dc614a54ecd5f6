import { contextTokenHeader } from '@behalf/identity'
import { send, sendLines } from '../send.ts'
import { headersOf } from '../test-caller.ts'
import { type Attack, requestAttack, type Target } from './attack.ts'

/** The request with its context token in another place, or in several. */
const withHeaders =
  (headers: (token: string) => readonly string[][]): Parameters<typeof requestAttack>[0]['requests'] =>
  ({ token, body }, { url }: Target) =>
    headers(token).map((more) => send(url, { headers: [...headersOf(body), ...more], body }))

/** Where a context token stands: RFC 9110 5.1 and 5.3, and what servers make of other spellings. */
export const headerAttacks: readonly Attack[] = [
  requestAttack({
    name: 'a request without a context token',
    promise: 'P1',
    code: 'CONTEXT_MISSING',
    about: 'sent by whoever can reach the subgraph',
    requests: withHeaders(() => [[], ['X-User-Id', 'usr_ada', 'X-Forwarded-User', 'usr_ada']]),
  }),
  requestAttack({
    name: 'a request with two context tokens',
    promise: 'P1',
    code: 'CONTEXT_MISSING',
    about: 'the same twice, a good and a bad one in either order, in two spellings of the name',
    requests: withHeaders((token) => [
      [contextTokenHeader, token, contextTokenHeader, token],
      [contextTokenHeader, token, 'TXN-TOKEN', 'forged'],
      ['Txn-Token', 'forged', contextTokenHeader, token],
    ]),
  }),
  requestAttack({
    name: 'two context tokens in one header',
    promise: 'P1',
    code: 'CONTEXT_MALFORMED',
    about: 'joined by a comma, as proxies do with repeated headers',
    requests: withHeaders((token) => [
      [contextTokenHeader, `${token}, ${token}`],
      [contextTokenHeader, `${token},forged`],
    ]),
  }),
  requestAttack({
    name: 'a context token in another header',
    promise: 'P1',
    code: 'CONTEXT_MISSING',
    about: '`Authorization`, a cookie, and names that some servers take for the same',
    requests: withHeaders((token) => [
      ['Authorization', `Bearer ${token}`],
      ['Authorization', token],
      ['Cookie', `${contextTokenHeader}=${token}`],
      ['Txn_Token', token],
      ['TxnToken', token],
      ['X-Txn-Token', token],
      ['Proxy-Authorization', `Bearer ${token}`],
    ]),
  }),
  requestAttack({
    name: 'white space in the name of the header',
    promise: 'P1',
    code: 'BAD_REQUEST',
    about: 'before the colon (RFC 9112 5.1), where a proxy may have looked for something else',
    requests: ({ token, body }, { url }) =>
      [`Txn-Token : ${token}`, `Txn-Token\t: ${token}`].map((line) =>
        sendLines(url, ['Content-Type: application/json', `Content-Length: ${body.byteLength}`, line], body),
      ),
  }),
]
