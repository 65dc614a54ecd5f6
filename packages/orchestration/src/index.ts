// This file is the complete public surface of @behalf/orchestration.
export { createAgentApi } from './agent-api.ts'
export type { AgentApi, AgentApiOptions, DelegatedCall } from './agent-api.ts'
export type { AnswerDelta } from './answer-progress.ts'
export { answerText } from './answer-text.ts'
export { chatErrors, type ChatErrorCode } from './chat-error.ts'
export { keywordRouter } from './keyword-router/keyword-router.ts'
export { languageModel, type LanguageModelOptions } from './language-model.ts'
export type {
  FinishReason,
  MessageCall,
  ModelBackend,
  ModelEvent,
  ModelMessage,
  ModelRequest,
  ModelUsage,
} from './model-backend.ts'
export { createRunner, type Runner, type RunnerOptions } from './runner.ts'
export { defaultBounds, type RunBounds } from './run-bounds.ts'
export { RunLost } from './run-store.ts'
export type { Call, CallStatus, RunEnd, RunStore, Step, TakenRun, Turn, WaitingCall } from './run-store.ts'
export { stepTokens } from './step-tokens.ts'
