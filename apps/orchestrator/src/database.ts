import type { CallStatus, ChatErrorCode, FinishReason } from '@behalf/orchestration'
import type { Generated, JSONColumnType } from 'kysely'

/** Tables of the schema `orchestrator`, as migrations/ makes them. `user_id` is filled from the bound caller. */
export interface Database {
  conversation: {
    id: string
    user_id: Generated<string>
    title: string
    created_at: Generated<Date>
  }
  run: {
    id: string
    conversation_id: string
    user_id: Generated<string>
    idempotency_key: string
    status: Generated<RunStatus>
    holder: Generated<number>
    backend_kind: 'LANGUAGE_MODEL' | 'KEYWORD_ROUTER'
    backend_name: string
    error_code: ChatErrorCode | null
    retry_after_ms: number | null
    created_at: Generated<Date>
    started_at: Date | null
    finished_at: Date | null
    waiting_since: Date | null
    last_seq: Generated<number>
  }
  run_event: {
    run_id: string
    seq: number
    user_id: Generated<string>
    kind: 'TOOL_CALL' | 'APPROVAL' | 'ENDED'
    tool_call_id: string | null
    status: ToolCallStatus | null
  }
  message: {
    id: string
    conversation_id: string
    run_id: string
    user_id: Generated<string>
    role: 'USER' | 'ASSISTANT'
    text: string
    position: number
    created_at: Generated<Date>
  }
  step: {
    run_id: string
    number: number
    user_id: Generated<string>
    text: string
    reason: FinishReason
    reported: boolean
    input_tokens: number | null
    output_tokens: number | null
    cached_input_tokens: number | null
  }
  tool_call: {
    id: string
    run_id: string
    user_id: Generated<string>
    step: number
    position: number
    tool: string
    arguments: JSONColumnType<Record<string, unknown>>
    status: Generated<ToolCallStatus>
    result: JSONColumnType<object> | null
    result_truncated: Generated<boolean>
    error_code: string | null
    error_message: string | null
    started_at: Date | null
    finished_at: Date | null
    approval_id: string | null
    approval_expires_at: Date | null
  }
  run_delegation: {
    run_id: string
    user_id: Generated<string>
    handle: string
  }
}

export type ActiveRunStatus = 'QUEUED' | 'RUNNING' | 'AWAITING_APPROVAL'
export type RunStatus = ActiveRunStatus | 'COMPLETED' | 'INCOMPLETE' | 'FAILED' | 'CANCELLED'
export type ToolCallStatus = 'PROPOSED' | 'AWAITING_APPROVAL' | 'RUNNING' | CallStatus | 'CANCELLED'

/** Of a run that is not over. */
export const activeStatuses: readonly ActiveRunStatus[] = ['QUEUED', 'RUNNING', 'AWAITING_APPROVAL']
