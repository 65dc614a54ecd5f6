/**
 * What a difference means: `LOOSENED`, somebody may see, do or be told of more than before; `BREAKING`, something that
 * worked no longer does; `NOTED`, neither, and worth a look.
 */
export type ChangeLevel = 'LOOSENED' | 'BREAKING' | 'NOTED'

/** One difference between two graphs. */
export interface Change {
  readonly level: ChangeLevel
  /** Of `changeCodes`, or one of graphql-js' breaking and dangerous changes, such as `FIELD_REMOVED`. Stable. */
  readonly code: string
  /** Schema coordinate (`Order.total`, `Query.user(id:)`), `tool get_balance` or `subgraph orders`. */
  readonly at: string
  readonly message: string
}

/** Every code that is not graphql-js'. */
export const changeCodes = [
  'AUTHENTICATION',
  'SCOPES',
  'POLICIES',
  'AGENT_ACCESS',
  'DELEGATES',
  'APPROVES',
  'SUBJECT',
  'OWNER',
  'FACTS',
  'SUBGRAPH_SCOPES',
  'TOOL_REMOVED',
  'TOOL_ADDED',
  'TOOL_INPUT',
  'TOOL_OUTPUT',
  'TOOL_DESCRIPTION',
  'TOOL_SCOPES',
  'TOOL_POLICIES',
  'TOOL_APPROVAL',
  'TOOL_BINDING',
  'TOOL_EFFECT',
  'TOOL_WORDS',
] as const

export type ChangeCode = (typeof changeCodes)[number]
/** Reports one difference. */
export type Tell = (level: ChangeLevel, code: ChangeCode, at: string, message: string) => void
