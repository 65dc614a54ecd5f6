import type { SubjectRule } from './bind-subjects.ts'
import type { Ownership } from './directives.ts'

/**
 * `graph.json`, the one artefact of `behalf compose`: what the gateway loads at start.
 * Composition writes it; the gateway and the registry read it.
 */
export interface Graph {
  readonly format: 1
  /** base64url SHA-256 of the RFC 8785 form of everything else here. */
  readonly hash: string
  /** Supergraph SDL without the authorization specs, which @apollo/gateway refuses to load. */
  readonly supergraph: string
  readonly subgraphs: Readonly<Record<string, GraphSubgraph>>
  /** By coordinate, such as `Query.order` or `Order` (a type); only where something differs from the default. */
  readonly rules: Readonly<Record<string, FieldRule>>
  /** By coordinate of an argument or input field, such as `Query.user(id:)` or `TransferInput.userId`: `@subject`. */
  readonly subjects: Readonly<Record<string, readonly SubjectRule[]>>
  /** By object type, and by subgraph that gives it fields: whose its objects are. Each subgraph checks its own. */
  readonly owners: Readonly<Record<string, Readonly<Record<string, Ownership>>>>
  /** Sorted by name. */
  readonly tools: readonly ToolDefinition[]
}

export interface GraphSubgraph {
  /** Facts it declared with `@identity(facts:)`; it receives no other. */
  readonly facts: readonly string[]
  /** Scopes that its fields can ask for; it receives no other. */
  readonly scopes: readonly string[]
  /** Milliseconds that it may take to answer. */
  readonly timeoutMs: number
}

export type AgentAccess = 'ALLOW' | 'APPROVE' | 'DENY'

/** What a coordinate asks of a caller. Inner lists are AND, outer lists OR, as in Federation. */
export interface FieldRule {
  /** Of the type that a field returns, too, as are `scopes`. */
  readonly authenticated: boolean
  readonly scopes: readonly (readonly string[])[]
  /** Of this coordinate alone, which a policy is told: those of the type that a field returns are under that type. */
  readonly policies: readonly (readonly string[])[]
  readonly agent: AgentAccess
  /** Agent that a call here may start (`@delegates`), and the subgraph that is given the ticket. */
  readonly delegates: { readonly agent: string; readonly subgraph: string } | null
  /** The subgraph that is given the proof of what a person decides by a call here (`@approves`). */
  readonly approves: string | null
}

/** A JSON Schema (2020-12) document. */
export type JsonSchema = { readonly [keyword: string]: unknown }

/** A tool: a named operation of the graph, compiled. */
export interface ToolDefinition {
  readonly name: string
  readonly title: string
  /** What a model reads. */
  readonly description: string
  /** Of the arguments a model gives: inlined, closed (`additionalProperties: false`). */
  readonly inputSchema: JsonSchema
  /** Of the operation's `data`. */
  readonly outputSchema: JsonSchema
  /** Text of the operation, without directives of ours. */
  readonly operation: string
  /** Variables that are filled from the caller, never by a model (`@subject`). */
  readonly bindings: readonly { readonly variable: string; readonly claim: 'sub' | 'tenant' }[]
  /** What the operation's fields ask for together, in disjunctive normal form. */
  readonly scopes: readonly (readonly string[])[]
  readonly policies: readonly (readonly string[])[]
  readonly readOnly: boolean
  /** The Mutation field that needs the user's approval when an agent calls it; null if none does. */
  readonly approval: string | null
  /** What a user who is to approve a call is shown, with `{variable}` for its arguments; null where none is asked for. */
  readonly summary: string | null
  /** Questions that this tool answers, for retrieval and for keyword-router. */
  readonly examples: readonly string[]
  /** base64url SHA-256 of the RFC 8785 form of everything above. */
  readonly version: string
}
