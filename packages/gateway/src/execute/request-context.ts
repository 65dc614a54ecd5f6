import type { Approval, Principal } from '@behalf/identity'
import type { RequestRecord } from '../audit/request-record.ts'
import type { GoneSignal } from './gone-signal.ts'
import type { PlannedSubscription } from './plan/planned-subscription.ts'

/** Trace context (W3C): the only headers of a client that go on to subgraphs. */
export interface TraceContext {
  readonly traceparent?: string
  readonly tracestate?: string
}

/** What the executor knows of an incoming request: who, never with which credential. */
export interface RequestContext {
  readonly principal: Principal
  /** UUIDv7 */
  readonly txn: string
  readonly trace: TraceContext
  /** Aborted when the client goes away; a mutation that was sent is not called back. */
  readonly signal: GoneSignal | null
  /** Under which a caller without a credential is counted; null for a tool. */
  readonly address: string | null
  /** The user's, of this operation of an agent's; its only Mutation field is the one that was approved. */
  readonly approval: Approval | null
  /** What is decided meanwhile. */
  readonly record: RequestRecord
  /** Where a subscription goes once it is authorized; without it none is served. */
  readonly subscribe?: (subscription: PlannedSubscription) => void
  /** Of a stream that may go on: what its operation asks for was counted when it began. */
  readonly isCounted?: true
}
