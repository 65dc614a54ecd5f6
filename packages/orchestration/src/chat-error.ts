/** Every way in which a chat request or run goes wrong: `message` is for the user, `retryable` says that a repeat may work. */
export const chatErrors = {
  CONVERSATION_BUSY: { message: 'An answer is still being written in this conversation.', retryable: true },
  IDEMPOTENCY_MISMATCH: { message: 'This idempotency key was already used for another text.', retryable: false },
  CONTEXT_TOO_LONG: { message: 'The conversation is too long for the model. Start a new one.', retryable: false },
  MODEL_UNAVAILABLE: { message: 'The model cannot be reached now.', retryable: true },
  MODEL_RATE_LIMITED: { message: 'The model is busy. Try again later.', retryable: true },
  MODEL_TIMEOUT: { message: 'The model did not answer in time.', retryable: true },
  MODEL_BAD_OUTPUT: { message: 'The model gave an answer that cannot be used.', retryable: true },
  MODEL_REFUSED: { message: 'The model declined to answer.', retryable: false },
  BUDGET_EXCEEDED: {
    message: 'What may be used at once, for one answer, or in one day is used up. What was found so far is shown.',
    retryable: false,
  },
  STEP_LIMIT: { message: 'This took too many steps; what was found so far is shown.', retryable: false },
  TOOL_FAILED: { message: 'The tools cannot be reached now.', retryable: true },
  APPROVAL_EXPIRED: { message: 'You were asked for your approval and did not answer in time.', retryable: true },
  IDENTITY_EXPIRED: { message: 'The permission to act for you has ended. Send a new message.', retryable: true },
  INTERNAL: { message: 'Something went wrong on our side.', retryable: true },
} as const satisfies Record<string, { message: string; retryable: boolean }>

export type ChatErrorCode = keyof typeof chatErrors
