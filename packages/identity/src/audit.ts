/** What an audit event is about. One event for each decision. */
export const auditKinds = [
  /** A request was answered, or refused as a whole; `detail.hops` says what each receiver was told. */
  'request',
  /** A field was withheld before anything was planned. `target` is its coordinate. */
  'field.denied',
  /** An agent asked which tools it may use; `detail.tools` names them. */
  'tool.listed',
  /** A tool was run, as `detail.hops` says, or not found or refused before that. `target` is the tool. */
  'tool.called',
  'tool.denied',
  /** A variable of a tool's operation was filled from the caller. `target` is the variable. */
  'subject.bound',
  'approval.asked',
  'approval.resolved',
  'approval.used',
  /** A delegation was made of a ticket, used by its agent, or ended by its user; `target` is its id. */
  'delegation.made',
  'delegation.used',
  'delegation.revoked',
  /** A user, a session or a delegation was ended. `target` says which. */
  'revoked',
  /** An object of somebody else's was not shown, in a subgraph. `target` is the coordinate. */
  'object.withheld',
  /** A subgraph refused a context token; those whose signature did not hold are counted together. */
  'context.refused',
  /** Credentials that were refused before anybody was known, `detail.count` of them. */
  'credential.refused',
  /** A client sent headers that only we may send, named in `detail.names`, and was answered as if it had not. */
  'header.ignored',
] as const

export type AuditKind = (typeof auditKinds)[number]

/**
 * One decision: who, on whose behalf, what, by which rule, with which outcome. It holds no payload: no argument, no
 * result, no credential; arguments at most as a keyed hash.
 */
export interface AuditEvent {
  /** UUIDv7 of the transaction; null for what is counted together: `detail.count` says how much of it there was. */
  readonly txn: string | null
  /** `txn` of the request that led to this one: of an agent's tool call, the user's message. */
  readonly parent: string | null
  readonly time: Date
  readonly subject: string | null
  readonly tenant: string | null
  /** The agent; null for a person. */
  readonly actor: string | null
  readonly what: AuditKind
  /** What it was done to or with: a coordinate, a tool, a delegation. */
  readonly target: string | null
  /** What decided, as it is written in a schema or configuration: `@requiresScopes(scopes: [["orders:read"]])`. */
  readonly rule: string | null
  /** `OK`, or a code of the error table. */
  readonly outcome: string
  readonly durationMs: number | null
  /** A little more, of the kind's own; JSON. */
  readonly detail: Readonly<Record<string, unknown>>
}

/** Where events go: batched, off the path of whoever records them. */
export interface Audit {
  /** Never throws, never waits. */
  record(event: AuditEvent): void
}
