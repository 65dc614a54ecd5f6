import { deriveContextKeys, deriveWorkloadKey } from '@behalf/identity'
import { randomBytes } from 'node:crypto'
import { send } from '../send.ts'
import { decodeToken, encodePart, signToken, type TokenParts } from '../sign-token.ts'
import { headersOf } from '../test-caller.ts'
import { type Attack, requestAttack, type Target } from './attack.ts'

type Change = (token: string, target: Target) => string | readonly string[]

/** Sends the request with each of some other context tokens. */
const otherTokens =
  (change: Change): Parameters<typeof requestAttack>[0]['requests'] =>
  ({ token, body }, target) =>
    [change(token, target)].flat().map((changed) => send(target.url, { headers: headersOf(body, changed), body }))

/** A token as it is but for some of its claims, signed by whoever has the right key. */
const resigned =
  (change: (claims: Claims, now: number) => object, key = contextKey): Change =>
  (token, target) => {
    const { header, claims } = decodeToken(token) as TokenParts & { claims: Claims }
    return signToken({ header, claims: { ...claims, ...change(claims, Math.floor(Date.now() / 1000)) } }, key(target))
  }

interface Claims {
  readonly exp: number
  readonly hop: Readonly<Record<string, unknown>>
}

/** A token as it is but for its header, signed by whoever has the right key. */
const withHeader =
  (...changes: object[]): Change =>
  (token, target) => {
    const { header, claims } = decodeToken(token)
    return changes.map((change) => signToken({ header: { ...header, ...change }, claims }, contextKey(target)))
  }

/** `<epoch>:<base64url>` */
const bytesOf = (keys: string) => Buffer.from(keys.split(':')[1] ?? '', 'base64url')
const contextKey = ({ rootKey, name }: Target, receiver = name) => bytesOf(deriveContextKeys(rootKey, receiver, [1]))

/** Context tokens that are not what the gateway would have made: of RFC 8725 and of the public catalogues. */
export const tokenAttacks: readonly Attack[] = [
  requestAttack({
    name: 'a forged context token',
    promise: 'P1',
    code: 'CONTEXT_SIGNATURE',
    about: 'signed with a key that somebody made up',
    requests: otherTokens((token) => signToken(decodeToken(token), randomBytes(32))),
  }),
  requestAttack({
    name: 'a context token whose claims were changed',
    promise: 'P1',
    code: 'CONTEXT_SIGNATURE',
    about: "the gateway's signature over another subject, more scopes, another tenant",
    requests: otherTokens((token) => {
      const [header, , signature] = token.split('.')
      const { claims } = decodeToken(token)
      const changes = [{ sub: 'usr_other' }, { scope: 'everything' }, { tctx: { tenant: 'other', facts: {} } }]
      return changes.map((change) => `${header}.${encodePart({ ...claims, ...change })}.${signature}`)
    }),
  }),
  requestAttack({
    name: 'a context token without a signature',
    promise: 'P1',
    code: 'CONTEXT_MALFORMED',
    about: '`alg: none` in several spellings, with an empty, the old or no signature at all',
    requests: otherTokens((token) => {
      const { header, claims } = decodeToken(token)
      const [, , signature] = token.split('.')
      return ['none', 'None', 'NONE', 'nOnE', ''].flatMap((alg) => {
        const input = `${encodePart({ ...header, alg })}.${encodePart(claims)}`
        return [`${input}.`, `${input}.${signature}`, input]
      })
    }),
  }),
  requestAttack({
    name: 'another algorithm',
    promise: 'P1',
    code: 'CONTEXT_MALFORMED',
    about: 'the right key, with `alg` of another HMAC or of a public key',
    requests: otherTokens((token, target) => {
      const { header, claims } = decodeToken(token)
      const hashes = {
        HS384: 'sha384',
        HS512: 'sha512',
        RS256: 'sha256',
        ES256: 'sha256',
        PS256: 'sha256',
        EdDSA: 'sha256',
      }
      return Object.entries(hashes).map(([alg, hash]) =>
        signToken({ header: { ...header, alg }, claims }, contextKey(target), hash),
      )
    }),
  }),
  requestAttack({
    name: "another receiver's key",
    promise: 'P1',
    code: 'CONTEXT_SIGNATURE',
    about: 'one subgraph makes a token for another with the only keys it has, or a workload with its own',
    requests: otherTokens((token, target) => [
      signToken(decodeToken(token), contextKey(target, 'elsewhere')),
      signToken(decodeToken(token), bytesOf(deriveWorkloadKey(target.rootKey, target.name, 1))),
    ]),
  }),
  requestAttack({
    name: 'a key that everybody knows',
    promise: 'P1',
    code: 'CONTEXT_SIGNATURE',
    about: 'HS256 with no key, with public texts, or with the key in another encoding',
    requests: otherTokens((token, target) => {
      const { header, claims } = decodeToken(token)
      const key = contextKey(target)
      return ['', '\0', 'secret', target.name, String(header['kid']), String(claims['iss']), String(claims['aud'])]
        .concat(key.toString('base64url'), key.toString('hex'))
        .map((text) => signToken({ header, claims }, text))
    }),
  }),
  requestAttack({
    name: 'a header with more in it',
    promise: 'P1',
    code: 'CONTEXT_SIGNATURE',
    about: '`jwk`, `jku`, `x5u`, `crit`, `b64` or another epoch, signed with the right key all the same',
    requests: otherTokens((token, target) =>
      withHeader(
        { jwk: { kty: 'oct', k: '' } },
        { jku: 'http://127.0.0.1:1/keys' },
        { x5u: 'http://127.0.0.1:1/certificate' },
        { crit: ['exp'] },
        { b64: false },
        { kid: `${target.name}/99` },
        { kid: `${target.name}/../${target.name}/1` },
      )(token, target),
    ),
  }),
  requestAttack({
    name: 'another type of token',
    promise: 'P1',
    code: 'CONTEXT_MALFORMED',
    about: 'an access token, an ID token, a workload token: `typ` is another, or `kid` is none',
    requests: otherTokens(
      withHeader(
        { typ: 'at+jwt' },
        { typ: 'JWT' },
        { typ: 'behalf-workload+jwt' },
        { typ: undefined },
        { kid: undefined },
        { kid: ['a'] },
      ),
    ),
  }),
  requestAttack({
    name: 'another spelling of a context token',
    promise: 'P4',
    code: 'CONTEXT_SIGNATURE',
    about: 'the last character of the signature, of which several decode to the same bytes; one cut off',
    requests: otherTokens((token) => {
      const last = token.slice(-1)
      const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
      // 32 bytes leave two bits of the last character unused (RFC 4648 3.5).
      const group = alphabet.indexOf(last) & ~3
      const same = alphabet
        .slice(group, group + 4)
        .split('')
        .filter((character) => character !== last)
      return [...same.map((character) => token.slice(0, -1) + character), token.slice(0, -1)]
    }),
  }),
  requestAttack({
    name: 'a context token with something added',
    promise: 'P4',
    code: 'CONTEXT_MALFORMED',
    about: 'padding, white space, a fourth part, a scheme before it; JSON instead of it',
    requests: otherTokens((token) => {
      const [protectedHeader, payload, signature] = token.split('.')
      return [`${token}=`, `${token}.`, `${token} x`, `Bearer ${token}`, `"${token}"`, token.replace('.', '. ')].concat(
        JSON.stringify({ protected: protectedHeader, payload, signature }),
      )
    }),
  }),
  requestAttack({
    name: 'an oversized context token',
    promise: 'P1',
    code: 'CONTEXT_MALFORMED',
    about: 'more than 4 KiB, signed with the right key',
    requests: otherTokens(resigned(() => ({ padding: 'x'.repeat(4096) }))),
  }),
  requestAttack({
    name: 'an expired context token',
    promise: 'P4',
    code: 'CONTEXT_EXPIRED',
    about: 'made two minutes ago',
    requests: otherTokens(resigned((_claims, now) => ({ iat: now - 120, exp: now - 90 }))),
  }),
  requestAttack({
    name: 'a context token of the future',
    promise: 'P4',
    code: 'CONTEXT_EXPIRED',
    about: 'not yet valid',
    requests: otherTokens(resigned((_claims, now) => ({ iat: now + 60, exp: now + 90 }))),
  }),
  requestAttack({
    name: 'a context token that lives too long',
    promise: 'P4',
    code: 'CONTEXT_EXPIRED',
    about: 'more than 60 seconds',
    requests: otherTokens(resigned((_claims, now) => ({ iat: now, exp: now + 3600 }))),
  }),
  requestAttack({
    name: 'a context token without an end',
    promise: 'P4',
    code: 'CONTEXT_MALFORMED',
    about: '`exp` is missing, a text, null or negative',
    requests: (signed, target, operation) =>
      [undefined, '9999999999', null, -1].flatMap((exp) =>
        otherTokens(resigned(() => ({ exp })))(signed, target, operation),
      ),
  }),
  requestAttack({
    name: 'a context token for another receiver',
    promise: 'P4',
    code: 'CONTEXT_WRONG_RECEIVER',
    about: 'as the gateway made it for another subgraph, and with that name under the right key',
    requests: (signed, target, operation) => [
      ...otherTokens(resigned(({ hop }) => ({ hop: { ...hop, to: 'elsewhere' } })))(signed, target, operation),
      send(target.url, target.mine.as().signed(operation.query, operation.variables, { to: 'elsewhere' })),
    ],
  }),
  requestAttack({
    name: 'a context token of another trust domain',
    promise: 'P1',
    code: 'CONTEXT_MALFORMED',
    about: '`iss` or `aud` is another, or a list',
    requests: (signed, target, operation) =>
      [{ iss: 'elsewhere/gateway' }, { aud: 'elsewhere' }, { aud: [decodeToken(signed.token).claims['aud']] }].flatMap(
        (change) => otherTokens(resigned(() => change))(signed, target, operation),
      ),
  }),
]
