import type { ErrorCode } from '@behalf/identity'
import type { JsonWebKey } from 'node:crypto'
import { type RawAnswer, send, sendLines } from '../send.ts'
import { Breach } from '../subgraph-attacks/attack.ts'
import type { Mint, TokenChange } from '../test-issuer.ts'
import type { Thief } from './thief.ts'

/** What is attacked: a running gateway, and an issuer that it trusts. */
export interface GatewayTarget {
  /** Of `POST /graphql`. */
  readonly url: string
  readonly mint: Mint
  /** Asks who is asking: nobody is answered otherwise than somebody. */
  readonly query: string
  /** What an agent may not ask. */
  readonly peopleQuery: string
  /** The issuer's, as it publishes them. */
  readonly publicKeys: readonly JsonWebKey[]
  /** Keys and a server of somebody whom nobody trusts. */
  readonly thief: Thief
}

/** A request in place of one with an acceptable token. */
export interface Attempt {
  /** For those who read that it succeeded. */
  readonly what: string
  /** Names and values in turn, beside those of any request. */
  readonly headers?: readonly string[]
  /** Header lines that no client of node's would send. */
  readonly lines?: readonly string[]
  /** Behind the path. */
  readonly search?: string
  /** Members of the body beside the query. */
  readonly body?: object
  /** This one is an acceptable twin of the others: answered as with its token alone. */
  readonly passes?: true
}

/** What has to come of an attempt. */
export const outcomes = {
  refused: 'refused',
  nobody: 'answered as without a token',
  itself: 'answered as with its token alone',
  agent: 'refused to an agent (AGENT_DENIED)',
} as const
type Outcome = keyof typeof outcomes

export interface GatewayAttack {
  readonly name: string
  /** The promise that would be broken. */
  readonly promise: 'P1' | 'P8'
  /** What is tried, for those who read of it. */
  readonly about: string
  readonly outcome: Outcome
  readonly withstand: (target: GatewayTarget) => Promise<void>
}

interface Attacking extends Omit<GatewayAttack, 'withstand' | 'promise'> {
  /** With which it may be refused. Default `CREDENTIAL_INVALID`. */
  readonly codes?: readonly ErrorCode[]
  readonly attempts: (target: GatewayTarget, token: string) => Promise<readonly Attempt[]> | readonly Attempt[]
}

/** The twin is an acceptable token, which is answered as somebody, and as nobody without it. */
export function gatewayAttack({ attempts, codes = ['CREDENTIAL_INVALID'], ...attack }: Attacking): GatewayAttack {
  const { name, outcome } = attack
  return {
    ...attack,
    promise: outcome === 'agent' ? 'P8' : 'P1',
    async withstand(given) {
      const target = outcome === 'agent' ? { ...given, query: given.peopleQuery } : given
      const token = await target.mint()
      const somebody = await ask(target, { what: 'an acceptable token', headers: bearer(token) })
      const nobody = await ask(target, { what: 'no token' })
      requireTwin(somebody, nobody)
      const asked = target.thief.asked.length
      for (const attempt of await attempts(target, token)) {
        const answer = await ask(target, attempt)
        if (answer.status === 429)
          throw new Breach('The gateway limits how many credentials it refuses: raise LIMIT_ANONYMOUS for this test.')
        const due = attempt.passes ? 'itself' : outcome
        const holds = {
          refused: () => isRefused(answer, codes),
          nobody: () => saysTheSame(answer, nobody),
          itself: () => saysTheSame(answer, somebody),
          agent: () => read(answer).codes.includes('AGENT_DENIED') && !saysTheSame(answer, somebody),
        }[due]()
        if (!holds) throw new Breach(`${name} (${attempt.what}) should be ${outcomes[due]}: ${describe(answer)}`)
      }
      const found = target.thief.asked.slice(asked)
      if (found.length > 0) throw new Breach(`${name}: the gateway asked a stranger for ${found.join(', ')}.`)
    },
  }
}

export const bearer = (token: string): string[] => ['Authorization', `Bearer ${token}`]

/** Each of these in place of the token. */
export const tokens = (given: Readonly<Record<string, string>>): Attempt[] =>
  Object.entries(given).map(([what, token]) => ({ what, headers: bearer(token) }))

/** Tokens that the issuer signed, each with a change. */
export async function minted(mint: Mint, changes: Readonly<Record<string, TokenChange>>): Promise<Attempt[]> {
  const made = Object.entries(changes).map(async ([what, change]) => [what, await mint(change)] as const)
  return tokens(Object.fromEntries(await Promise.all(made)))
}

async function ask(
  { url, query }: Pick<GatewayTarget, 'url' | 'query'>,
  { headers = [], lines, search = '', body: more = {} }: Attempt,
): Promise<RawAnswer> {
  const body = new TextEncoder().encode(JSON.stringify({ query, ...more }))
  const length = String(body.byteLength)
  if (lines) return sendLines(url, ['Content-Type: application/json', `Content-Length: ${length}`, ...lines], body)
  const all = ['Content-Type', 'application/json', 'Content-Length', length, ...headers]
  return send(url, { headers: all, search, body }).catch(toClosed)
}

/** Whoever sends too much may find the door closed before all of it is said. */
function toClosed(error: unknown): RawAnswer {
  const { code } = error as { code?: string }
  if (code === 'ECONNRESET' || code === 'EPIPE') return { status: 431, body: '{}' }
  throw error
}

function requireTwin(somebody: RawAnswer, nobody: RawAnswer): void {
  const { data, codes } = read(somebody)
  if (somebody.status !== 200 || data === null || codes.length > 0)
    throw new Breach(`An acceptable token is not answered: ${describe(somebody)}`)
  if (saysTheSame(somebody, nobody))
    throw new Breach('The query is answered to nobody as to somebody: name another, such as `{ viewer { id } }`.')
}

function isRefused(answer: RawAnswer, allowed: readonly ErrorCode[]): boolean {
  const { data, codes } = read(answer)
  const isTooLarge = allowed.includes('PAYLOAD_TOO_LARGE') && answer.status === 431
  return data === null && answer.status >= 400 && (isTooLarge || allowed.some((code) => code === codes[0]))
}

function saysTheSame(one: RawAnswer, other: RawAnswer): boolean {
  return one.status === other.status && JSON.stringify(read(one)) === JSON.stringify(read(other))
}

/** What an answer says: without its transaction, which differs each time. */
function read({ body }: RawAnswer): { data: unknown; codes: unknown[] } {
  try {
    const { data = null, errors = [] } = JSON.parse(body) as {
      data?: unknown
      errors?: { extensions?: { code?: unknown } }[]
    }
    return { data, codes: errors.map(({ extensions }) => extensions?.code) }
  } catch {
    return { data: null, codes: [] }
  }
}

const describe = ({ status, body }: RawAnswer) => `${status} ${body.slice(0, 500)}`
