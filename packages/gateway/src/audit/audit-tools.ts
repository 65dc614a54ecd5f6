import type { Audit, ErrorCode, EventCounter, Graph, Principal, ToolRequest, ToolDefinition } from '@behalf/identity'
import type { Registry } from '../registry.ts'
import type { HashArguments } from './hash-arguments.ts'
import { denialsOf, eventOf, executionOf, whoIs } from './record-events.ts'
import { RequestRecord } from './request-record.ts'
import { ruleOfTool } from './rule-text.ts'

export interface ToolAudit {
  /** A registry of which every answer is recorded. */
  audited(registry: Registry): Registry
  /** A call did not reach the registry. */
  refused(principal: Principal, call: ToolRequest, refusal: { readonly txn: string; readonly code: ErrorCode }): void
  /** Where the execution of the tool call of this transaction is recorded. */
  recordOf(txn: string): RequestRecord
}

/** Before anything is executed. */
const refusals: ReadonlySet<string> = new Set<ErrorCode>(['TOOL_UNKNOWN', 'TOOL_ARGUMENTS_INVALID', 'RATE_LIMITED'])

/** Writes down which tools were offered, called and denied. Of arguments there is only a keyed hash. */
export function createToolAudit(options: {
  readonly audit: Audit
  readonly counter: EventCounter
  readonly graph: Pick<Graph, 'tools'>
  readonly hashArguments: HashArguments
}): ToolAudit {
  const { audit, counter, graph, hashArguments } = options
  const tools = new Map(graph.tools.map((tool) => [tool.name, { ...tool, rule: ruleOfTool(tool) }]))
  const underWay = new Map<string, RequestRecord>()

  function ended(record: RequestRecord, principal: Principal, call: ToolRequest, code: string): void {
    const who = whoIs(principal, record.txn)
    const tool = tools.get(call.name)
    // For want of scopes before anything is executed, or by a field of it.
    const isRefused =
      refusals.has(code) || (code === ('UNAUTHORIZED_FIELD_OR_TYPE' satisfies ErrorCode) && record.operation === null)
    // All but what is beyond a limit is within one.
    const { record: write } = code === ('RATE_LIMITED' satisfies ErrorCode) ? counter : audit
    write(
      eventOf(who, isRefused ? 'tool.denied' : 'tool.called', {
        time: record.time,
        // A name that is no tool's is a text of a model's.
        target: tool?.name ?? null,
        rule: tool?.rule ?? null,
        outcome: code,
        durationMs: record.durationMs,
        detail: {
          delegation: principal.actor?.delegation ?? null,
          run: principal.actor?.run ?? null,
          call: call.call,
          client: principal.client,
          version: tool?.version ?? null,
          arguments: hashArguments(call.arguments),
          ...executionOf(record),
        },
      }),
    )
    for (const event of denialsOf(record, who)) write(event)
    if (!isRefused)
      for (const binding of tool?.bindings ?? []) audit.record(eventOf(who, 'subject.bound', bound(binding)))
  }

  return {
    refused: (principal, call, { txn, code }) => ended(new RequestRecord(txn), principal, call, code),
    recordOf: (txn) => underWay.get(txn) ?? new RequestRecord(txn),
    audited: (registry) => ({
      catalogue(principal, txn, canGain) {
        const listed = registry.catalogue(principal, txn, canGain)
        const { delegation = null, run = null } = principal.actor ?? {}
        const detail = { delegation, run, client: principal.client, tools: listed.map(({ name }) => name) }
        audit.record(eventOf(whoIs(principal, txn), 'tool.listed', { detail }))
        return listed
      },
      async call(principal, call, txn, more) {
        const record = new RequestRecord(txn)
        underWay.set(txn, record)
        try {
          const outcome = await registry.call(principal, call, txn, more)
          ended(record, principal, call, outcome.ok ? 'OK' : outcome.error.code)
          return outcome
        } catch (error) {
          ended(record, principal, call, 'INTERNAL' satisfies ErrorCode)
          throw error
        } finally {
          underWay.delete(txn)
        }
      },
    }),
  }
}

const bound = ({ variable, claim }: ToolDefinition['bindings'][number]) => ({
  target: variable,
  rule: `@subject(claim: "${claim}")`,
})
