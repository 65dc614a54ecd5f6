import { isObject } from './compact-jws.ts'
import type { Actor, Approval, Facts, FactValue, OperationType } from './principal.ts'

/** `typ` of a context token, as draft-ietf-oauth-transaction-tokens registers it. */
export const contextTokenType = 'txntoken+jwt'

/** The one header that carries a context token. */
export const contextTokenHeader = 'txn-token'

/** Longest context token that is accepted, in bytes. */
export const maxContextTokenBytes = 4096

/** Seconds: default and longest life of a context token, and how far clocks may differ. */
export const contextLifetime = { default: 30, max: 60, skew: 5 } as const

/** The gateway of a trust domain, as `iss` and `req_wl` name it. */
export const gatewayOf = (trustDomain: string) => `${trustDomain}/gateway`

/** Claims of a context token: draft-ietf-oauth-transaction-tokens, and `hop`, which is ours. */
export interface ContextClaims {
  readonly iss: string
  readonly aud: string
  readonly iat: number
  readonly exp: number
  readonly txn: string
  readonly sub: string
  readonly scope: string
  readonly req_wl: string
  readonly act?: { readonly sub: string }
  readonly rctx: { readonly client: string | null; readonly auth_time: number | null; readonly acr: string | null }
  readonly tctx: {
    readonly tenant: string | null
    readonly facts: Facts
    readonly delegation?: string
    readonly run?: string
    readonly tool?: string
    readonly call?: string
    readonly parent?: string
  }
  readonly hop: {
    readonly to: string
    readonly req: string
    readonly op: OperationType
    readonly jti?: string | undefined
    readonly approval?: Approval | undefined
    readonly until?: number | undefined
    readonly ticket?: string | undefined
  }
}

/** Of an agent only. */
const actingNames = ['delegation', 'run', 'tool', 'call', 'parent']
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/**
 * Checks the shape of claims whose signature holds. A signer of ours never gets it wrong; another one,
 * or an older version, must not be half understood.
 *
 * @returns the claims, or the name of the first that does not fit.
 */
export function readContextClaims(claims: Record<string, unknown>): ContextClaims | string {
  const { iss, aud, iat, exp, txn, sub, scope, req_wl, act, rctx, tctx, hop } = claims
  if (!isText(iss)) return 'iss'
  if (!isText(aud)) return 'aud'
  if (!isSeconds(iat)) return 'iat'
  if (!isSeconds(exp)) return 'exp'
  if (!isText(txn) || !uuid.test(txn)) return 'txn'
  if (!isText(sub)) return 'sub'
  if (typeof scope !== 'string') return 'scope'
  if (!isText(req_wl)) return 'req_wl'
  if (act !== undefined && !(isObject(act) && isText(act['sub']))) return 'act'
  if (!isObject(rctx) || !isTextOrNull(rctx['client']) || !isTextOrNull(rctx['acr'])) return 'rctx'
  if (rctx['auth_time'] !== null && !isSeconds(rctx['auth_time'])) return 'rctx.auth_time'
  if (!isObject(tctx) || !isTextOrNull(tctx['tenant'])) return 'tctx'
  if (!isObject(tctx['facts']) || !Object.values(tctx['facts']).every(isFactValue)) return 'tctx.facts'
  const acting = [tctx['delegation'], tctx['run'], tctx['tool'], tctx['call'], tctx['parent']]
  const misfit = acting.findIndex((value) => value !== undefined && (act === undefined || !isText(value)))
  if (misfit >= 0) return `tctx.${actingNames[misfit]}`
  if (!isObject(hop) || !isText(hop['to']) || !isText(hop['req'])) return 'hop'
  if (hop['op'] !== 'query' && hop['op'] !== 'mutation' && hop['op'] !== 'subscription') return 'hop.op'
  if (hop['op'] === 'mutation' ? !isText(hop['jti']) : hop['jti'] !== undefined) return 'hop.jti'
  if (hop['op'] === 'subscription' ? !isSeconds(hop['until']) : hop['until'] !== undefined) return 'hop.until'
  if (hop['ticket'] !== undefined && !isText(hop['ticket'])) return 'hop.ticket'
  const approval = hop['approval']
  if (approval !== undefined && !(isObject(approval) && isText(approval['id']) && isText(approval['field'])))
    return 'hop.approval'
  return claims as unknown as ContextClaims
}

/** The actor that claims name; null for a human. */
export function readActor({ act, tctx }: ContextClaims): Actor | null {
  if (act === undefined) return null
  const { delegation = null, run = null, tool = null, call = null, parent = null } = tctx
  return { agent: act.sub, delegation, run, tool, call, parent }
}

const isText = (value: unknown): value is string => typeof value === 'string' && value !== ''
const isTextOrNull = (value: unknown) => value === null || isText(value)
const isSeconds = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0
const isFactValue = (value: unknown): value is FactValue =>
  typeof value === 'string' ||
  typeof value === 'boolean' ||
  Number.isFinite(value) ||
  (Array.isArray(value) && value.every((item) => typeof item === 'string'))
