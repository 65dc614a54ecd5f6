import { AppError } from './app-error.ts'
import { bodyHash, decodeObject, isCompact, keysByHeader, signatureHolds, splitCompact } from './compact-jws.ts'
import {
  type ContextClaims,
  contextLifetime,
  contextTokenHeader,
  contextTokenType,
  gatewayOf,
  maxContextTokenBytes,
  readActor,
  readContextClaims,
} from './context-claims.ts'
import type { ErrorCode } from './error-table.ts'
import { parseKeys } from './keys.ts'
import { deepFreeze, type Identity, type OperationType, type Unbranded } from './principal.ts'

export interface ContextVerifierOptions {
  /** This receiver's name, as the gateway calls it. */
  readonly receiver: string
  /** Value of `BEHALF_CONTEXT_KEYS`: this receiver's keys of the current and the previous epoch. */
  readonly keys: string
  readonly trustDomain: string
  /** Largest body that is read, in bytes. Default 1 MiB. */
  readonly maxBodyBytes?: number
  /** Milliseconds since the epoch. */
  readonly clock?: () => number
}

/** What can be known of a request before its body is read. */
export interface RequestHead {
  readonly method: string
  readonly url: string
  /** As node:http has them: names and values in turn, nothing joined. */
  readonly rawHeaders: readonly string[]
}

/**
 * Verifies context tokens in three steps, each of which gives access to the next, so that nobody can have an
 * {@link Identity} before the body it came with was checked. There is no option that turns a step off.
 */
export interface ContextVerifier {
  /** Before the body is read. @throws {ContextError} */
  verifyHead(request: RequestHead): VerifiedHead
}

export interface VerifiedHead {
  readonly txn: string
  /** Bytes of body to read. */
  readonly contentLength: number
  /** Before the body is parsed. @throws {ContextError} */
  verifyBody(body: Uint8Array): VerifiedBody
}

export interface VerifiedBody {
  /**
   * Before anything is executed.
   *
   * @param type - the type of the operation that the body asks for.
   * @param consume - true the first time an id is seen by any replica; remembers it until `expiresAt`.
   *   Asked for mutations only; if it throws, the request is refused.
   * @throws {ContextError}
   */
  verifyOperation(
    type: OperationType,
    consume: (id: string, expiresAt: Date) => Promise<boolean>,
  ): Promise<VerifiedContext>
}

export interface VerifiedContext {
  readonly identity: Identity
  /** base64url SHA-256 of the body. */
  readonly request: string
  /** Unique id of a mutation; null for other operations. */
  readonly jti: string | null
  /** When a subscription has to end, in seconds since the epoch; null for other operations. */
  readonly until: number | null
  /** Given for `@delegates` fields, to be redeemed at the gateway, and for `@approves` fields, as proof; unreadable here. */
  readonly ticket: string | null
}

/** A refused context. `cause` says why, for the log; `txn` is null unless the signature held. */
export class ContextError extends AppError {
  readonly txn: string | null

  constructor(code: ErrorCode, reason: string, txn: string | null = null, cause?: unknown) {
    super(code, undefined, { cause: cause === undefined ? reason : new Error(reason, { cause }) })
    this.txn = txn
  }
}

/** @throws {TypeError} when the keys cannot be used. */
export function createContextVerifier(options: ContextVerifierOptions): ContextVerifier {
  const { receiver, trustDomain, maxBodyBytes = 1024 * 1024, clock = Date.now } = options
  const keys = keysByHeader(contextTokenType, receiver, parseKeys(options.keys))

  function verifyToken(tokens: readonly string[]): ContextClaims {
    const [token, ...others] = tokens
    if (token === undefined || others.length > 0)
      throw new ContextError('CONTEXT_MISSING', `${tokens.length} context tokens`)
    if (token.length > maxContextTokenBytes) throw new ContextError('CONTEXT_MALFORMED', `${token.length} bytes`)
    const jws = splitCompact(token)
    if (jws === null) throw new ContextError('CONTEXT_MALFORMED', 'not a compact JWS')
    const key = keys.get(jws.header)
    if (key === undefined || !signatureHolds(jws, key)) {
      if (!isCompact(jws)) throw new ContextError('CONTEXT_MALFORMED', 'not a compact JWS')
      if (key === undefined) throw unknownHeader(jws.header, receiver)
      throw new ContextError('CONTEXT_SIGNATURE', 'signature does not hold')
    }

    const claims = readContextClaims(decodeObject(jws.payload))
    if (typeof claims === 'string') throw new ContextError('CONTEXT_MALFORMED', `claim ${claims}`)
    const { txn } = claims
    if (claims.iss !== gatewayOf(trustDomain)) throw new ContextError('CONTEXT_MALFORMED', 'iss', txn)
    if (claims.aud !== trustDomain) throw new ContextError('CONTEXT_MALFORMED', 'aud', txn)
    if (claims.hop.to !== receiver) throw new ContextError('CONTEXT_WRONG_RECEIVER', `made for ${claims.hop.to}`, txn)
    const now = Math.floor(clock() / 1000)
    if (claims.iat > now + contextLifetime.skew) throw new ContextError('CONTEXT_EXPIRED', 'iat is in the future', txn)
    if (claims.exp <= now - contextLifetime.skew) throw new ContextError('CONTEXT_EXPIRED', 'exp has passed', txn)
    const lifetime = claims.exp - claims.iat
    if (lifetime <= 0 || lifetime > contextLifetime.max)
      throw new ContextError('CONTEXT_EXPIRED', `lives ${lifetime} s`, txn)
    return claims
  }

  return {
    verifyHead({ method, url, rawHeaders }) {
      const { tokens, lengths, encoded } = readHeaders(rawHeaders)
      const claims = verifyToken(tokens)
      const refuse = (reason: string) => new ContextError('CONTEXT_WRONG_REQUEST', reason, claims.txn)
      if (method !== 'POST') throw refuse(`method ${method}`)
      if (url.includes('?')) throw refuse('query string')
      if (encoded !== null) throw refuse(encoded)
      const [length = '', ...others] = lengths
      if (others.length > 0 || !/^\d{1,15}$/.test(length)) throw refuse('content-length')
      const contentLength = Number(length)
      if (contentLength > maxBodyBytes)
        throw new ContextError('PAYLOAD_TOO_LARGE', `${contentLength} bytes`, claims.txn)
      return { txn: claims.txn, contentLength, verifyBody: (body) => verifyBody(claims, body) }
    },
  }
}

function verifyBody(claims: ContextClaims, body: Uint8Array): VerifiedBody {
  const { hop, txn } = claims
  if (bodyHash(body) !== hop.req) throw new ContextError('CONTEXT_WRONG_REQUEST', 'another body', txn)

  return {
    async verifyOperation(type, consume) {
      if (type !== hop.op)
        throw new ContextError('CONTEXT_WRONG_OPERATION', `a ${type} with a token for a ${hop.op}`, txn)
      if (hop.jti !== undefined) {
        const expiresAt = new Date((claims.exp + contextLifetime.skew) * 1000)
        const first = await consume(hop.jti, expiresAt).catch((cause: unknown) => {
          throw new ContextError('CONTEXT_UNVERIFIABLE', 'the replay store did not answer', txn, cause)
        })
        if (!first) throw new ContextError('CONTEXT_REPLAYED', 'jti was seen', txn)
      }
      const { until = null, ticket = null, jti = null } = hop
      return { identity: toIdentity(claims), request: hop.req, jti, until, ticket }
    },
  }
}

/** The only place where an {@link Identity} is made. What it has is frozen by name: to look for it takes longer. */
function toIdentity(claims: ContextClaims): Identity {
  const { sub, scope, rctx, tctx, hop, txn } = claims
  const identity: Unbranded<Identity> = {
    subject: sub,
    tenant: tctx.tenant,
    scopes: Object.freeze(scope === '' ? [] : scope.split(' ')),
    facts: deepFreeze(tctx.facts),
    client: rctx.client,
    authTime: rctx.auth_time,
    acr: rctx.acr,
    actor: Object.freeze(readActor(claims)),
    txn,
    approval: Object.freeze(hop.approval ?? null),
  }
  return Object.freeze(identity) as Identity
}

/** Tells a token for somebody else from one that nobody of ours makes (RFC 8725 3.1: `alg`, `typ` and `kid` are hostile input). */
function unknownHeader(part: string, receiver: string): ContextError {
  const { typ, alg, kid } = decodeObject(part)
  if (typ !== contextTokenType || alg !== 'HS256' || typeof kid !== 'string')
    return new ContextError('CONTEXT_MALFORMED', 'typ, alg or kid')
  if (!kid.startsWith(`${receiver}/`)) return new ContextError('CONTEXT_WRONG_RECEIVER', 'kid of another receiver')
  return new ContextError('CONTEXT_SIGNATURE', 'no such key, or a header that is not ours byte for byte')
}

interface Headers {
  /** Values of each that is called so. */
  readonly tokens: readonly string[]
  readonly lengths: readonly string[]
  /** The name of one that says that the body is not what was hashed. */
  readonly encoded: string | null
}

function readHeaders(rawHeaders: readonly string[]): Headers {
  const tokens: string[] = []
  const lengths: string[] = []
  let encoded: string | null = null
  rawHeaders.forEach((value, at) => {
    if (at % 2 === 0) return
    const name = rawHeaders[at - 1]?.toLowerCase()
    if (name === contextTokenHeader) tokens.push(value)
    else if (name === 'content-length') lengths.push(value)
    else if (name === 'content-encoding' || name === 'transfer-encoding') encoded = name
  })
  return { tokens, lengths, encoded }
}
