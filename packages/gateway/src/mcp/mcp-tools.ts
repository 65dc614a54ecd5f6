import {
  AppError,
  type AskedApproval,
  type DelegationGrant,
  errorTable,
  type JsonSchema,
  type McpRound,
  type McpTools,
  type Principal,
  type ToolOutcome,
} from '@behalf/identity'
import type { AgentScopes } from '../authenticate/agent-scopes.ts'
import type { IssuerConfig } from '../authenticate/issuer.ts'
import { principalOfClient } from '../authenticate/principal.ts'
import type { Authority } from '../authority.ts'
import type { ServedGraph } from '../graph/serve-graph.ts'
import type { RateLimits } from '../limits/rate-limits.ts'
import type { CanGain } from '../registry.ts'
import type { OwnChanges } from '../revocation/own-changes.ts'
import type { RevocationGuard } from '../revocation/revocation-guard.ts'
import type { Round, TicketSealer } from '../agent/ticket.ts'

/** The tools of whoever shows a token of a client's, under the delegation of that client. @throws {AppError} `SESSION_ENDED` */
export type ToolsOf = (
  principal: Principal,
  request: { readonly txn: string; readonly graph: ServingGraph },
) => Promise<McpTools>
type ServingGraph = Pick<ServedGraph, 'tools' | 'registry' | 'toolAudit'>

/** Milliseconds for which a delegation is not asked for again. Whatever ends it is heard of at once, or nothing is answered. */
const delegationAge = 5000

interface Client {
  readonly askedAt: number
  /** Acting under its delegation. */
  readonly principal: Principal
  readonly canGain: CanGain
}

export function createToolsOf(options: {
  readonly authority: Pick<Authority, 'delegateToClient'>
  readonly changes: Pick<OwnChanges, 'since'>
  readonly guard: RevocationGuard
  readonly rates: RateLimits
  readonly issuers: readonly IssuerConfig[]
  readonly agentScopes: AgentScopes
  readonly rounds: Pick<TicketSealer, 'sealRound' | 'openRound'>
  /** Where a user decides what an agent asks, unless there is a page for each. */
  readonly home: string
  /** A page where the user, signed in as themselves, decides the one in its `approval`. */
  readonly approvalsUrl?: string | undefined
  /** Milliseconds, counted up evenly. */
  readonly clock?: () => number
}): ToolsOf {
  const { authority, guard, rates, issuers, agentScopes, rounds, home, approvalsUrl } = options
  const { changes, clock = () => performance.now() } = options
  /** Of callers as they came in: another token, and another record of its user, is another one. */
  const clients = new WeakMap<Principal, Client>()

  const outputSchemas = new WeakMap<ServingGraph['tools'], ReadonlyMap<string, JsonSchema>>()
  function outputSchemasOf({ tools }: Pick<ServingGraph, 'tools'>): ReadonlyMap<string, JsonSchema> {
    let byName = outputSchemas.get(tools)
    if (byName === undefined)
      outputSchemas.set(tools, (byName = new Map(tools.map(({ name, outputSchema }) => [name, outputSchema]))))
    return byName
  }

  /** Under its delegation, which may have ended since it was asked for: that is for `guard` to know. */
  async function clientOf(principal: Principal, txn: string): Promise<Client> {
    const known = clients.get(principal)
    const askedAt = clock()
    const isRecent = known !== undefined && askedAt < known.askedAt + delegationAge
    if (isRecent && !changes.since(principal.subject, known.askedAt)) return known
    const delegation = await authority.delegateToClient(grantOf(principal, txn))
    if (delegation === null) throw new AppError('SESSION_ENDED')
    const client = { askedAt, principal: principalOfClient(principal, delegation), canGain: gains(principal) }
    clients.set(principal, client)
    return client
  }

  /** What neither the issuer may grant nor an agent may have for this user, no sign-in gives. */
  function gains(principal: Principal): CanGain {
    const ofIssuer = issuers.find(({ issuer }) => issuer === principal.issuer)?.scopes
    return (scope) => agentScopes(principal, scope) && ofIssuer?.includes(scope) !== false
  }

  /** What the client was asked in the round before. @throws {AppError} `APPROVAL_MISMATCH` where that was another call */
  async function askedBefore(client: Principal, name: string, state: string): Promise<Round> {
    const round = await rounds.openRound(state).catch((cause: unknown) => {
      throw new AppError('APPROVAL_MISMATCH', undefined, { cause })
    })
    const now: Omit<Round, 'argumentsHash' | 'approval'> = { ...callerOf(client), tool: name }
    if ((Object.keys(now) as (keyof typeof now)[]).some((key) => round[key] !== now[key]))
      throw new AppError('APPROVAL_MISMATCH', undefined, { cause: 'the state of another call' })
    return round
  }

  async function whereToDecide(client: Principal, tool: string, { id, argumentsHash, expiresAt }: AskedApproval) {
    if (approvalsUrl === undefined) return { decideAt: home, state: null }
    const page = new URL(approvalsUrl)
    page.searchParams.set('approval', id)
    const round = { ...callerOf(client), tool, argumentsHash, approval: id }
    return { decideAt: page.href, state: await rounds.sealRound(round, new Date(expiresAt)) }
  }

  /** One round of a call, in the graph that is served now. */
  async function callIn(
    { registry, toolAudit }: ServingGraph,
    caller: { readonly client: Principal; readonly canGain: CanGain; readonly txn: string },
    { name, given, signal, state }: McpRound & { readonly name: string; readonly given: unknown },
  ) {
    const { client, canGain, txn } = caller
    const request = { name, arguments: given, call: null }
    try {
      const taken = rates.toolCall(client)
      if (taken) await taken
      const before = state === null ? null : await askedBefore(client, name, state)
      const expected = before && { id: before.approval, argumentsHash: before.argumentsHash }
      return await registry.call(client, request, txn, { canGain, signal, ...(expected && { expected }) })
    } catch (error) {
      if (!(error instanceof AppError)) throw error
      toolAudit.refused(client, request, { txn, code: error.code })
      if (error.code !== 'APPROVAL_MISMATCH') throw error
      return { ok: false, error: { code: error.code, message: errorTable.APPROVAL_MISMATCH.model } } as const
    }
  }

  return async (principal, { txn, graph }) => {
    const { principal: client, canGain } = await clientOf(principal, txn)
    guard.requireInForce(client)

    return {
      txn,
      list: () => graph.registry.catalogue(client, txn, canGain),
      async call(name, given, round) {
        const outcome = await callIn(graph, { client, canGain, txn }, { ...round, name, given })
        if (outcome.ok) return { ...outcome, outputSchema: outputSchemasOf(graph).get(name) ?? {} }
        if (outcome.error.code === 'TOOL_UNKNOWN') return null
        requireNoOtherToken(outcome)
        const { error, approval } = outcome
        return {
          ok: false,
          error,
          ...(approval && { approval: { ...approval, ...(await whereToDecide(client, name, approval)) } }),
        }
      },
    }
  }
}

const callerOf = ({ subject, tenant, client, actor }: Principal) => ({
  subject,
  tenant,
  client,
  delegation: actor?.delegation ?? null,
})

/** What another token would mend is refused as a request, so that the client asks for one. @throws {AppError} */
function requireNoOtherToken({ error }: Extract<ToolOutcome, { ok: false }>): void {
  const { requiredScopes, acrValues, maxAge } = error.details ?? {}
  if (error.code === 'UNAUTHORIZED_FIELD_OR_TYPE' && requiredScopes !== undefined)
    throw new AppError('UNAUTHORIZED_FIELD_OR_TYPE', undefined, { details: { requiredScopes } })
  if (error.code === 'STEP_UP_REQUIRED')
    throw new AppError('STEP_UP_REQUIRED', undefined, {
      details: { ...(acrValues && { acrValues }), ...(maxAge !== undefined && { maxAge }) },
    })
}

/** @throws {AppError} `UNAUTHENTICATED` for whoever has nothing to grant */
function grantOf(principal: Principal, txn: string): DelegationGrant {
  const { issuer, tenant, client, issuedAt, actor } = principal
  if (issuer === null || tenant === null || client === null || issuedAt === null || actor === null)
    throw new AppError('UNAUTHENTICATED', 'Sign in to use tools.')
  const { subject, scopes, facts, session, authTime, acr } = principal
  return {
    issuer,
    subject,
    tenant,
    scopes,
    facts,
    client,
    session,
    authTime,
    acr,
    issuedAt,
    agent: actor.agent,
    parent: txn,
  }
}
