import type { Graph, Policies } from '@behalf/identity'
import type { Logger } from 'pino'
import type { AgentScopes } from './authenticate/agent-scopes.ts'
import type { IssuerConfig } from './authenticate/issuer.ts'
import type { AuthorizationMode } from './authorize/authorization-mode.ts'
import type { Authority } from './authority.ts'
import type { RemoteGraph } from './graph/remote-graph.ts'
import type { GraphParts } from './graph/serve-graph.ts'
import type { BatchOptions } from './http/answer-batch.ts'
import type { DocumentOptions } from './http/documents.ts'
import type { OperationLimits } from './limits/operation-limits.ts'
import type { RateLimitOptions } from './limits/rate-limits.ts'
import type { StreamLimits } from './limits/stream-limits.ts'
import type { McpEndpoint } from './mcp/mcp-endpoint.ts'
import type { StreamTimes } from './stream/stream-route.ts'

export interface GatewayOptions {
  /** Path of `graph.json`, a URL where it is served, or the graph itself. */
  readonly graph: string | RemoteGraph | Graph
  /** Whether another graph is served once there is one in the file, or at the URL. Default true. */
  readonly watchGraph?: boolean
  /** URLs of subgraphs by name, where they are not those of the graph. */
  readonly subgraphs?: Readonly<Record<string, string>>
  /** `BEHALF_ROOT_KEY`: at least 32 random bytes, base64url. */
  readonly rootKey: string
  /** Epoch of the keys, counted up to rotate them. Default 1. */
  readonly epoch?: number
  /** `aud` of context tokens. Default `behalf`. */
  readonly trustDomain?: string
  readonly issuers: readonly IssuerConfig[]
  readonly authority: Authority
  /** Makes the tool registry of the graph's tools and the way to run one. */
  readonly registry: GraphParts['registry']
  /** Serves the tools at `/mcp` too, where issuers have an audience for it that is a URL. */
  readonly mcp?: McpEndpoint
  /**
   * A page of an interactive client where users decide what agents ask, the approval's id in its query as `approval`. Clients of
   * MCP that can send their user to a page do. Default: none; users are told to go to the gateway's own origin.
   */
  readonly approvalsUrl?: string | undefined
  /** Whether an agent may have a scope for a user. Default: any that it was granted. */
  readonly agentScopes?: AgentScopes
  /** A function for each name that subgraphs use in `@policy`. */
  readonly policies?: Policies
  /** What becomes of an operation of which something is denied. Default `filter`. */
  readonly authorization?: { readonly mode: AuthorizationMode }
  /** Whether clients may ask for the schema. Not a control: do not hide behind it. Default true. */
  readonly introspection?: boolean
  /** Documents that clients name, and whether they may send others. Default: none are known, and any may be sent. */
  readonly documents?: DocumentOptions
  /** Whether a request may have several operations, as a JSON array, and how many. Default: one, and no array. */
  readonly batching?: BatchOptions | null
  readonly limits?: Partial<GatewayLimits>
  /**
   * Addresses and networks (`10.0.0.0/8`) of proxies in front, whose `X-Forwarded-For` says where a request comes from.
   * Default: none, and a client's address is that of its connection.
   */
  readonly trustedProxies?: readonly string[]
  /**
   * Lets agents' runners tell a model server for whom it answers, with a context token for each request (`to: "model"`):
   * the user, the tenant, these facts, and no scope. Default: they cannot.
   */
  readonly model?: { readonly facts: readonly string[] } | null
  readonly log?: Logger
}

export interface GatewayLimits extends RateLimitOptions {
  /** What one operation may ask for. */
  readonly operation: Partial<OperationLimits>
  readonly streams: Partial<StreamLimits & StreamTimes>
  /** Bytes of a request. Default 256 KiB. */
  readonly bodyBytes: number
  /** Bytes of a subgraph's answer. Default 8 MiB. */
  readonly subgraphResponseBytes: number
  /** Requests of clients under way; beyond, they are refused at once. Streams are not counted here. Default 1,000. */
  readonly concurrentRequests: number
  /** Requests to one subgraph under way or waiting; beyond, they fail at once. Default 1,000. */
  readonly subgraphPending: number
  /** Milliseconds in which `/readyz` says no before connections are refused, so that nobody is sent here. Default 0. */
  readonly drainDelay: number
}

export const defaultLimits: GatewayLimits = {
  operation: {},
  streams: {},
  bodyBytes: 256 * 1024,
  subgraphResponseBytes: 8 * 1024 * 1024,
  concurrentRequests: 1000,
  subgraphPending: 1000,
  drainDelay: 0,
}
