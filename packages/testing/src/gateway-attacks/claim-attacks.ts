import { decodeToken } from '../sign-token.ts'
import type { TokenChange, TokenTexts } from '../test-issuer.ts'
import { gatewayAttack, type GatewayAttack, minted } from './gateway-attack.ts'

/** The same claim with each of several values. */
const values = (claim: string, ...given: unknown[]): Record<string, TokenChange> =>
  Object.fromEntries(
    given.map((value) => [`${claim}: ${JSON.stringify(value) ?? 'missing'}`, { claims: { [claim]: value } }]),
  )

/** The last member of a JSON object once more, with another value. */
const again = (json: string, name: string, value: unknown) =>
  `${json.slice(0, -1)},${JSON.stringify(name)}:${JSON.stringify(value)}}`

const rewritten = (part: keyof TokenTexts, name: string, value: unknown): TokenChange => ({
  rewrite: (texts) => ({ ...texts, [part]: again(texts[part], name, value) }),
})

const seconds = () => Math.floor(Date.now() / 1000)

/** Tokens with a good signature that were made for something else (RFC 8725 2.8, 3.8, 3.9 and 3.11; RFC 9068 4). */
export const claimAttacks: readonly GatewayAttack[] = [
  gatewayAttack({
    name: 'members twice',
    about: 'the last of two members of one name counts (RFC 7519 4), and it is the bad one',
    outcome: 'refused',
    attempts: ({ mint }) =>
      minted(mint, {
        alg: rewritten('header', 'alg', 'none'),
        typ: rewritten('header', 'typ', 'logout+jwt'),
        aud: rewritten('payload', 'aud', 'https://elsewhere.example'),
        iss: rewritten('payload', 'iss', 'https://elsewhere.example'),
        exp: rewritten('payload', 'exp', seconds() - 3600),
        sub: rewritten('payload', 'sub', 'nobody of ours'),
      }),
  }),
  gatewayAttack({
    name: 'another type of token',
    about: 'an ID token, a logout token, a DPoP proof, a context token: `typ` says so',
    outcome: 'refused',
    attempts: ({ mint }, token) => {
      const ofAny = ['logout+jwt', 'dpop+jwt', 'secevent+jwt', 'txntoken+jwt', 'at+jwt-x', 'xat+jwt', '', 7, ['at+jwt']]
      const own = decodeToken(token).header['typ']
      // An issuer that gives its access tokens no type of their own cannot be held to it.
      const types = own === 'at+jwt' ? [...ofAny, 'JWT', 'jwt', undefined] : ofAny
      return minted(mint, Object.fromEntries(types.map((typ) => [`typ: ${JSON.stringify(typ)}`, { header: { typ } }])))
    },
  }),
  gatewayAttack({
    name: 'an ID token',
    about: 'which the client has, too, and which is for the client',
    outcome: 'refused',
    attempts: ({ mint }, token) => {
      const { client_id: client } = decodeToken(token).claims
      const id = { aud: client, azp: client, nonce: 'n', at_hash: 'h', scope: undefined, client_id: undefined }
      const logout = { events: { 'http://schemas.openid.net/event/backchannel-logout': {} }, aud: client }
      return minted(mint, {
        'ID token': { header: { typ: 'JWT' }, claims: id },
        'ID token that says it is none': { claims: id },
        'logout token': { header: { typ: 'logout+jwt' }, claims: logout },
        'logout token that says it is none': { claims: logout },
      })
    },
  }),
  gatewayAttack({
    name: 'a token for somebody else',
    about: '`aud` is another, nearly ours, of another type, or none',
    outcome: 'refused',
    attempts: ({ mint }, token) => {
      const aud = String([decodeToken(token).claims['aud']].flat()[0])
      const near = [
        `${aud}/`,
        `${aud}.`,
        `${aud}x`,
        `x${aud}`,
        aud.slice(0, -1),
        aud.toUpperCase(),
        `${aud}\u200b`,
        ` ${aud}`,
      ]
      return minted(
        mint,
        values('aud', ...near, 'https://elsewhere.example', ['elsewhere'], [], '', 7, {}, null, undefined),
      )
    },
  }),
  gatewayAttack({
    name: 'another issuer',
    about: '`iss` is nearly that of the issuer, of another type, or none',
    outcome: 'refused',
    attempts: ({ mint }, token) => {
      const iss = String(decodeToken(token).claims['iss'])
      const near = [
        `${iss}/`,
        `${iss}.elsewhere.example`,
        `${iss}@elsewhere.example`,
        `${iss}#`,
        `${iss}?a`,
        `${iss}\u200b`,
      ]
      const alike = [iss.toUpperCase(), iss.replace('h', '\u04bb'), ` ${iss}`, `${iss}\0`, iss.replace('://', ':///')]
      return minted(
        mint,
        values('iss', ...near, ...alike, 'https://elsewhere.example', [iss], { iss }, '', null, undefined),
      )
    },
  }),
  gatewayAttack({
    name: 'a token out of its time',
    about: '`exp` has passed, is missing, or no time; `nbf` and `iat` are to come',
    outcome: 'refused',
    attempts: ({ mint }) =>
      minted(mint, {
        ...values(
          'exp',
          seconds() - 60,
          0,
          -1,
          String(seconds() + 300),
          `${seconds() + 300}`,
          true,
          [seconds() + 300],
          null,
        ),
        ...values('exp', undefined, seconds() + 10 * 365 * 86_400),
        ...values('nbf', seconds() + 3600, 'now'),
        ...values('iat', seconds() + 3600, 'now', null, undefined),
      }),
  }),
  gatewayAttack({
    name: 'a token bound to a key',
    about: '`cnf` (RFC 7800): stolen from its owner and shown without the key',
    outcome: 'refused',
    attempts: ({ mint, thief }) =>
      minted(mint, values('cnf', { jkt: 'k' }, { 'x5t#S256': 't' }, { jwk: thief.jwk }, { kid: 'k' }, {}, null)),
  }),
  gatewayAttack({
    name: 'claims of another type',
    about: '`sub`, `client_id`, `scope` and `act` as numbers, lists, objects, nothing, or texts that no database keeps',
    outcome: 'refused',
    attempts: ({ mint }) =>
      minted(mint, {
        ...values('sub', 7, true, ['ada'], { toString: 'ada' }, '', null, undefined),
        ...values('client_id', 7, ['test'], {}, '', 'test\0', 'test\ud800', null, undefined),
        ...values('scope', 7, ['profile'], { profile: true }, 'profile\0', 'profile\udc00', null),
        ...values('act', 'assistant', {}, { sub: '' }, { sub: 7 }, { sub: 'a\0' }, { sub: '\ud800' }, [], null),
      }),
  }),
  gatewayAttack({
    name: 'a user of nobody',
    about: '`sub` is no user of ours, or nearly one',
    outcome: 'refused',
    attempts: ({ mint }, token) => {
      const sub = String(decodeToken(token).claims['sub'])
      return minted(
        mint,
        values('sub', 'nobody of ours', `${sub} `, ` ${sub}`, sub.toUpperCase(), `${sub}\0`, `${sub}\ud800`, '*', '%'),
      )
    },
  }),
  gatewayAttack({
    name: "an agent in a person's place",
    about:
      '`act` names whoever acts (RFC 8693 4.1), or the client has no person in front of it: asks what only people may',
    outcome: 'agent',
    attempts: ({ mint }, token) => {
      const { sub, client_id } = decodeToken(token).claims
      const client = String(client_id)
      const inner = { sub: 'assistant', act: { sub } }
      return minted(mint, {
        ...values('act', { sub: 'assistant' }, { sub }, { sub: client }, { sub: 'somebody else' }, inner),
        ...values('client_id', 'a client of nobody', `${client}x`, client.toUpperCase()),
      })
    },
  }),
]
