import { AppError, type DelegationGrant, type Principal, type ToolOutcome } from '@behalf/identity'
import type { AgentScopes } from '../authenticate/agent-scopes.ts'
import type { IssuerConfig } from '../authenticate/issuer.ts'
import { principalOfClient } from '../authenticate/principal.ts'
import type { Authority } from '../authority.ts'
import type { ServedGraph } from '../graph/serve-graph.ts'
import type { RateLimits } from '../limits/rate-limits.ts'
import type { CanGain } from '../registry.ts'
import type { RevocationGuard } from '../revocation/revocation-guard.ts'
import type { McpOutcome, McpTools } from './mcp-endpoint.ts'

/** The tools of whoever shows a token of a client's, under the delegation of that client. @throws {AppError} `SESSION_ENDED` */
export type ToolsOf = (
  principal: Principal,
  request: { readonly txn: string; readonly graph: Pick<ServedGraph, 'tools' | 'registry' | 'toolAudit'> },
) => Promise<McpTools>

export function createToolsOf(options: {
  readonly authority: Pick<Authority, 'delegateToClient'>
  readonly guard: RevocationGuard
  readonly rates: RateLimits
  readonly issuers: readonly IssuerConfig[]
  readonly agentScopes: AgentScopes
  /** Where a user decides what an agent asks. */
  readonly decideAt: string
}): ToolsOf {
  const { authority, guard, rates, issuers, agentScopes, decideAt } = options

  /** What neither the issuer may grant nor an agent may have for this user, no sign-in gives. */
  function gains(principal: Principal): CanGain {
    const ofIssuer = issuers.find(({ issuer }) => issuer === principal.issuer)?.scopes
    return (scope) => agentScopes(principal, scope) && ofIssuer?.includes(scope) !== false
  }

  return async (principal, { txn, graph: { tools, registry, toolAudit } }) => {
    const delegation = await authority.delegateToClient(grantOf(principal, txn))
    if (delegation === null) throw new AppError('SESSION_ENDED')
    const client = principalOfClient(principal, delegation)
    guard.requireInForce(client)
    const canGain = gains(principal)

    return {
      txn,
      list: () => registry.catalogue(client, txn, canGain),
      async call(name, given, signal) {
        const call = { name, arguments: given, call: null }
        try {
          await rates.toolCall(client)
        } catch (error) {
          if (error instanceof AppError) toolAudit.refused(client, call, { txn, code: error.code })
          throw error
        }
        const outcome = await registry.call(client, call, txn, { canGain, signal })
        if (!outcome.ok) return failureOf(outcome, decideAt)
        return { ...outcome, outputSchema: tools.find((tool) => tool.name === name)?.outputSchema ?? {} }
      },
    }
  }
}

/** What another token would mend is refused as a request, so that the client asks for one. @throws {AppError} */
function failureOf({ error, approval }: Extract<ToolOutcome, { ok: false }>, decideAt: string): McpOutcome | null {
  if (error.code === 'TOOL_UNKNOWN') return null
  const { requiredScopes, acrValues, maxAge } = error.details ?? {}
  if (error.code === 'UNAUTHORIZED_FIELD_OR_TYPE' && requiredScopes !== undefined)
    throw new AppError('UNAUTHORIZED_FIELD_OR_TYPE', undefined, { details: { requiredScopes } })
  if (error.code === 'STEP_UP_REQUIRED')
    throw new AppError('STEP_UP_REQUIRED', undefined, {
      details: { ...(acrValues && { acrValues }), ...(maxAge !== undefined && { maxAge }) },
    })
  return { ok: false, error, ...(approval && { approval: { ...approval, decideAt } }) }
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
