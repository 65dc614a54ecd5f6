// What resolvers have of types of the schema, where it is not what a client sees.
import type { runs, toolCallsById } from './loaders.ts'
import type { ShownEvent } from './run-events.ts'

type Loaded<Loader extends (context: never) => { load(key: string): Promise<unknown> }> = NonNullable<
  Awaited<ReturnType<ReturnType<Loader>['load']>>
>

export type ChatRun = Loaded<typeof runs>
export type ChatToolCall = Loaded<typeof toolCallsById>

export interface ChatMessage {
  readonly id: string
  readonly runId: string
  readonly role: 'USER' | 'ASSISTANT'
  readonly text: string
  readonly createdAt: Date
}

export type ChatToolCallChanged = ShownEvent<'ChatToolCallChanged'>
export type ChatApprovalRequested = ShownEvent<'ChatApprovalRequested'>
export type ChatRunEnded = ShownEvent<'ChatRunEnded'>
