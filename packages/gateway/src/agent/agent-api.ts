import {
  agentApiPaths,
  agentApiTypes,
  AppError,
  type ContextSigner,
  type Delegation,
  type ErrorCode,
  errorTable,
  modelReceiver,
  type OfferedTool,
  type Principal,
  type ToolDefinition,
  type UsedDelegation,
  workloadTokenHeader,
} from '@behalf/identity'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { z } from 'zod'
import type { AgentAudit } from '../audit/audit-agents.ts'
import type { AgentScopes } from '../authenticate/agent-scopes.ts'
import { principalFromDelegation } from '../authenticate/principal.ts'
import type { Authority } from '../authority.ts'
import type { ServedGraph } from '../graph/serve-graph.ts'
import type { ServedGraphs } from '../graph/served-graphs.ts'
import { goneSignal } from '../http/gone-signal.ts'
import { parseForm } from '../http/parse-form.ts'
import { parseJson } from '../http/parse-json.ts'
import type { RateLimits } from '../limits/rate-limits.ts'
import type { RevocationGuard } from '../revocation/revocation-guard.ts'
import { createOpenStreams } from '../stream/open-streams.ts'
import type { OpenProof } from './approve-call.ts'
import type { TicketSealer } from './ticket.ts'

const id = z.string().regex(/^[\w-]{1,64}$/)
const exchangeRequest = z.object({
  grant_type: z.literal(agentApiTypes.tokenExchange),
  subject_token: z.string(),
  subject_token_type: z.literal(agentApiTypes.ticket),
})
const listRequest = z.object({ delegation: z.string(), run: id })
const callRequest = z.object({
  delegation: z.string(),
  run: id,
  call: id,
  name: z.string().max(128),
  arguments: z.unknown(),
})

const modelRequest = listRequest.extend({ sha256: z.string().regex(/^[\w-]{43}$/) })
const resolvedRequest = z.object({ after: z.int().nonnegative() })
/** For how long a request for what was resolved, or ended, waits where there is nothing. */
const longestWaitMs = 25_000

/** Who asks, and the agents that it may act as. */
interface Workload {
  readonly name: string
  readonly agents: readonly string[]
}

/** A request under a delegation, which was looked for together with the use of the workload's token. */
interface Delegated<T> {
  readonly workload: Workload
  readonly asked: T
  readonly found: UsedDelegation | null
}

/**
 * What an orchestrator may ask of the gateway, on the internal port: to make a delegation of a ticket (RFC 8693),
 * which tools a delegation may use, to run one, what became of approvals it waits for, and who its model server works for.
 * It proves itself with a workload token for exactly this request, and learns nothing with which a subgraph could be asked.
 */
export function addAgentApi(
  app: FastifyInstance,
  options: {
    readonly authority: Authority
    readonly guard: RevocationGuard
    readonly rates: RateLimits
    readonly graphs: ServedGraphs
    readonly tickets: TicketSealer
    readonly openProof: OpenProof
    /** Null where model servers are told nothing of who they work for. */
    readonly model: { readonly signer: ContextSigner; readonly facts: readonly string[] } | null
    readonly audit: AgentAudit
    readonly agentScopes: AgentScopes
  },
): void {
  const { authority, guard, rates, graphs, tickets, openProof, model, audit, agentScopes } = options
  const { approvals } = authority
  const closing = new AbortController()
  const watched = createOpenStreams({ guard, revocations: authority.revocations })
  app.addHook('preClose', async () => {
    closing.abort()
    watched.close()
  })

  /** Counts what is refused because nobody of ours asked. */
  async function orRefused<T>(credential: Promise<T>): Promise<T> {
    return orNoted(
      (code) => {
        if (errorTable[code].status < 500) audit.refused(code)
      },
      () => credential,
    )
  }

  /** The workload whose token holds. @param consume - true the first time the token is seen */
  async function admitted(
    request: FastifyRequest,
    { workloads, agentsOf }: ServedGraph,
    consume: (token: { id: string; expiresAt: Date }, agents: readonly string[], body: Buffer) => Promise<boolean>,
  ): Promise<{ workload: Workload; body: Buffer }> {
    const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
    const token = request.headers[workloadTokenHeader]
    const name = await orRefused(
      workloads.verify(
        typeof token === 'string' ? token : '',
        { method: request.method, path: request.url, body },
        (id, expiresAt, of) => consume({ id, expiresAt }, agentsOf(of), body),
      ),
    )
    return { workload: { name, agents: agentsOf(name) }, body }
  }

  /** The body of a request whose workload token holds, and the workload. */
  async function admit<T>(
    request: FastifyRequest,
    schema: z.ZodType<T>,
    parse: (body: Buffer) => unknown,
  ): Promise<{ workload: Workload; asked: T }> {
    const { workload, body } = await admitted(request, graphs.current, ({ id, expiresAt }) =>
      authority.consume(id, expiresAt),
    )
    return { workload, asked: shaped(schema, parse(body)) }
  }

  /** The same of a request under a delegation. Nothing of a body is looked at before its token's signature holds for it. */
  async function admitDelegated<T extends { readonly delegation: string }>(
    request: FastifyRequest,
    schema: z.ZodType<T>,
    graph: ServedGraph = graphs.current,
  ): Promise<Delegated<T>> {
    let read: { asked: T; found: UsedDelegation | null } | null = null
    const { workload, body } = await admitted(request, graph, async (token, agents, bytes) => {
      const asked = readOrNull(schema, bytes)
      // Of what cannot be read the token is used all the same.
      if (asked === null) return authority.consume(token.id, token.expiresAt)
      const used = await authority.consumeAndUse(token, asked.delegation, agents)
      if (used === null) return false
      read = { asked, found: used.delegation }
      return true
    })
    // Whatever is wrong with it is said by whoever reads it again.
    return { workload, ...(read ?? { asked: shaped(schema, parseJson(body)), found: null }) }
  }

  /** Whoever approves something grants their rights of that moment anew, also where what they granted before is over. */
  async function renewed(
    found: UsedDelegation | null,
    handle: string,
    agents: readonly string[],
  ): Promise<Delegation | null> {
    if (found?.isRenewable === false) return found
    const proof = await approvals.renewable(handle, agents)
    const grant = proof && (await orRefused(openProof(proof)).catch(() => null))
    if (proof === null || grant === null) return found
    await approvals.renew(proof, grant)
    return authority.useDelegation(handle, agents)
  }

  /** A delegation is used by the agent it was given to, and that agent only by the workload it runs on. */
  async function principalOf(
    { workload: { name: workload, agents }, asked, found }: Delegated<z.output<typeof listRequest>>,
    txn: string,
    recorded: 'use' | 'refusal' = 'use',
  ): Promise<Principal> {
    const { delegation: handle, run } = asked
    const delegation = await renewed(found, handle, agents)
    const note = (outcome: 'OK' | ErrorCode) => audit.delegationUsed(delegation, { txn, workload, outcome })
    return orNoted(note, async () => {
      if (delegation === null) throw new AppError('DELEGATION_REFUSED')
      const scopes = delegation.scopes.filter((scope) => agentScopes(delegation, scope))
      const principal = principalFromDelegation({ ...delegation, scopes }, run)
      guard.requireInForce(principal)
      if (recorded === 'use') note('OK')
      return principal
    })
  }

  app.post(agentApiPaths.token, async (request) => {
    const { workload, asked } = await admit(request, exchangeRequest, parseForm)
    const ticket = await orRefused(tickets.open(asked.subject_token, workload.name))
    const { handle, delegation } = await orNoted(
      (code) => audit.ticketRefused(ticket, code),
      async () => {
        guard.requireFresh()
        const redeemed = await authority.redeemTicket(ticket)
        if (redeemed === null) throw new AppError('TICKET_REFUSED')
        return redeemed
      },
    )
    return {
      access_token: handle,
      issued_token_type: agentApiTypes.delegation,
      token_type: 'N_A',
      expires_in: Math.floor((delegation.expiresAt.getTime() - Date.now()) / 1000),
      delegation: delegation.id,
    }
  })

  app.post(agentApiPaths.listTools, async (request) => {
    using taken = graphs.take()
    const principal = await principalOf(await admitDelegated(request, listRequest, taken.graph), request.id)
    return { tools: taken.graph.registry.catalogue(principal, request.id).map(offer) }
  })

  app.post(agentApiPaths.callTool, async (request) => {
    using taken = graphs.take()
    const { registry, toolAudit } = taken.graph
    const admission = await admitDelegated(request, callRequest, taken.graph)
    const { delegation: _delegation, run: _run, ...call } = admission.asked
    const principal = await principalOf(admission, request.id)
    const { id: txn } = request
    await orNoted(
      (code) => toolAudit.refused(principal, call, { txn, code }),
      async () => rates.toolCall(principal),
    )
    return registry.call(principal, call, txn)
  })

  app.post(agentApiPaths.watchDelegation, async (request, reply) => {
    const principal = await principalOf(await admitDelegated(request, listRequest), request.id, 'refusal')
    const over = Promise.withResolvers<void>()
    const waited = AbortSignal.any([AbortSignal.timeout(longestWaitMs), goneSignal(reply.raw)])
    waited.addEventListener('abort', () => over.resolve())
    const watch = { principal, until: null, refuse: over.reject, close: () => {} }
    watched.add(watch)
    await over.promise.finally(() => watched.forget(watch))
    return { inForce: true }
  })

  if (model !== null) {
    app.post(agentApiPaths.modelContext, async (request) => {
      const admission = await admitDelegated(request, modelRequest)
      const principal = await principalOf(admission, request.id)
      const { signer, facts } = model
      const { sha256 } = admission.asked
      // No scopes: a model server has no fields. It may know for whom it answers, and can do nothing with that elsewhere.
      return {
        token: signer.sign(principal, {
          to: modelReceiver,
          body: { sha256 },
          operation: 'query',
          txn: request.id,
          facts,
          scopes: [],
        }),
      }
    })
  }

  app.post(agentApiPaths.resolvedApprovals, async (request, reply) => {
    const { workload, asked } = await admit(request, resolvedRequest, parseJson)
    const waited = AbortSignal.any([closing.signal, AbortSignal.timeout(longestWaitMs), goneSignal(reply.raw)])
    return { resolutions: await approvals.resolved(asked.after, workload.agents, waited) }
  })
}

/** @throws {AppError} `BAD_REQUEST` */
function shaped<T>(schema: z.ZodType<T>, given: unknown): T {
  const asked = schema.safeParse(given)
  if (!asked.success) throw new AppError('BAD_REQUEST', undefined, { cause: asked.error })
  return asked.data
}

function readOrNull<T>(schema: z.ZodType<T>, body: Buffer): T | null {
  try {
    return shaped(schema, parseJson(body))
  } catch {
    return null
  }
}

/** Writes down why it was refused, where it was. */
async function orNoted<T>(note: (code: ErrorCode) => void, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof AppError) note(error.code)
    throw error
  }
}

/** What a model may know of a tool. */
const offer = ({
  name,
  title,
  description,
  inputSchema,
  readOnly,
  approval,
  examples,
}: ToolDefinition): OfferedTool => ({
  name,
  title,
  description,
  inputSchema,
  readOnly,
  requiresApproval: approval !== null,
  examples,
})
