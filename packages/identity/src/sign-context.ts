import { randomUUID } from 'node:crypto'
import { AppError } from './app-error.ts'
import { bodyHash, encodeHeader, signCompact } from './compact-jws.ts'
import {
  type ContextClaims,
  contextLifetime,
  contextTokenType,
  gatewayOf,
  maxContextTokenBytes,
} from './context-claims.ts'
import { createHmacSha256, type HmacSha256 } from './hmac-sha256.ts'
import { deriveKey, firstEpoch } from './keys.ts'
import { type Actor, type Approval, type Facts, type OperationType, outsideCall, type Principal } from './principal.ts'

export interface ContextSignerOptions {
  /** `BEHALF_ROOT_KEY`: at least 32 random bytes, base64url. */
  readonly rootKey: string
  /** Epoch of the keys to sign with. Default 1. */
  readonly epoch?: number
  /** `aud` of every context token, such as `behalf`. */
  readonly trustDomain: string
  /** Seconds that a context token lives, 30 by default and 60 at most. */
  readonly lifetime?: number
  /** Milliseconds since the epoch. */
  readonly clock?: () => number
}

/** One request of the gateway to one receiver. */
export interface ContextRequest {
  /** The receiver: the subgraph's name. */
  readonly to: string
  /** The exact bytes that will be sent; or their SHA-256, base64url, where somebody else sends them. */
  readonly body: Uint8Array | { readonly sha256: string }
  readonly operation: OperationType
  /** UUIDv7 of the incoming request. */
  readonly txn: string
  /** Facts the receiver declared; of the principal's, only these are sent. */
  readonly facts: readonly string[]
  /** Scopes the receiver's fields can ask for; of the principal's, only these are sent. */
  readonly scopes: readonly string[]
  readonly approval?: Approval
  /** Sealed for the gateway itself; the receiver can redeem it for a delegation. */
  readonly ticket?: string
  /** When a subscription ends, in seconds since the epoch; required for one, refused otherwise. */
  readonly until?: number
}

export interface ContextSigner {
  /**
   * A context token (compact JWS): for this receiver, this body and this operation type only.
   *
   * @throws {AppError} `INTERNAL` when the token would be longer than receivers accept.
   */
  sign(principal: Principal, request: ContextRequest): string
}

/** What of a principal a receiver is told: the facts and scopes that it declared, and no others. */
export function disclose(
  { facts, scopes }: Pick<Principal, 'facts' | 'scopes'>,
  declared: Pick<ContextRequest, 'facts' | 'scopes'>,
): { readonly facts: Facts; readonly scopes: readonly string[] } {
  return {
    facts: Object.fromEntries(Object.entries(facts).filter(([name]) => declared.facts.includes(name))),
    scopes: scopes.filter((scope) => declared.scopes.includes(scope)),
  }
}

/** Signs context tokens: a profile of draft-ietf-oauth-transaction-tokens with one token per request and receiver. */
export function createContextSigner(options: ContextSignerOptions): ContextSigner {
  const { rootKey, epoch = firstEpoch, trustDomain, lifetime = contextLifetime.default, clock = Date.now } = options
  if (!(lifetime > 0 && lifetime <= contextLifetime.max)) {
    throw new TypeError(`A context token lives 1 to ${contextLifetime.max} seconds, not ${lifetime}.`)
  }
  deriveKey(rootKey, 'context', 'probe', epoch) // a root key that cannot be used is a fault of the start, not of a request
  const keys = new Map<string, { header: string; hmac: HmacSha256 }>()
  const keyFor = (receiver: string) => {
    let entry = keys.get(receiver)
    if (entry === undefined) {
      const { key } = deriveKey(rootKey, 'context', receiver, epoch)
      keys.set(
        receiver,
        (entry = { hmac: createHmacSha256(key), header: encodeHeader(contextTokenType, `${receiver}/${epoch}`) }),
      )
    }
    return entry
  }

  const own = gatewayOf(trustDomain)
  const start = `{"iss":${JSON.stringify(own)},"aud":${JSON.stringify(trustDomain)},"iat":`

  /** Principals do not change: what one of them is to a receiver is encoded once for both, as long as they are there. */
  const encoded = new WeakMap<Principal, WeakMap<readonly string[], Encoded>>()
  function whoFor(principal: Principal, declared: Pick<ContextRequest, 'facts' | 'scopes'>): string {
    const caller = outsideCall(principal)
    // Its members end with those of the actor, of which the call is one.
    if (caller !== principal)
      return `${whoFor(caller, declared).slice(0, -1)},"call":${JSON.stringify(principal.actor?.call)}}`
    let byFacts = encoded.get(principal)
    if (byFacts === undefined) encoded.set(principal, (byFacts = new WeakMap()))
    const known = byFacts.get(declared.facts)
    if (known?.scopes === declared.scopes) return known.text
    const text = JSON.stringify(whoIs(principal, declared, own)).slice(1, -1)
    byFacts.set(declared.facts, { scopes: declared.scopes, text })
    return text
  }

  return {
    sign(principal, request) {
      const { header, hmac } = keyFor(request.to)
      const iat = Math.floor(clock() / 1000)
      const hop: ContextClaims['hop'] = {
        to: request.to,
        req: 'sha256' in request.body ? request.body.sha256 : bodyHash(request.body),
        op: request.operation,
        // What is undefined is not in the JSON.
        jti: request.operation === 'mutation' ? randomUUID() : undefined,
        approval: request.approval,
        until: request.until,
        ticket: request.ticket,
      }
      const who = whoFor(principal, request)
      const claims = `${start}${iat},"exp":${iat + lifetime},"txn":${JSON.stringify(request.txn)},${who},"hop":${JSON.stringify(hop)}}`
      const token = signCompact(header, claims, hmac)
      if (token.length > maxContextTokenBytes) {
        throw new AppError('INTERNAL', undefined, {
          cause: `context token for ${request.to} has ${token.length} bytes`,
        })
      }
      return token
    },
  }
}

/** Claims about the caller, encoded as members of an object. */
interface Encoded {
  readonly scopes: readonly string[]
  readonly text: string
}

/** What is the same in all tokens of a principal for a receiver. */
function whoIs(
  principal: Principal,
  declared: Pick<ContextRequest, 'facts' | 'scopes'>,
  gateway: string,
): Omit<ContextClaims, 'iss' | 'aud' | 'iat' | 'exp' | 'txn' | 'hop'> {
  const { actor } = principal
  const { facts, scopes } = disclose(principal, declared)
  return {
    sub: principal.subject,
    scope: scopes.join(' '),
    req_wl: gateway,
    ...(actor && { act: { sub: actor.agent } }),
    rctx: { client: principal.client, auth_time: principal.authTime, acr: principal.acr },
    tctx: {
      tenant: principal.tenant,
      facts,
      ...(actor && actorContext(actor)),
    },
  }
}

const actorContext = ({ delegation, run, tool, call, parent }: Actor) =>
  Object.fromEntries(Object.entries({ delegation, run, tool, call, parent }).filter(([, value]) => value !== null))
