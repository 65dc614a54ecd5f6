/**
 * Every error that leaves one of our processes has a code from this table. `status` is the HTTP status
 * where the whole request fails with it, `message` is public, `model` is the sentence a model is given. Only codes
 * `fromSubgraph` go on from a subgraph to a client: the others would speak of a request that is not the client's.
 */
export const errorTable = {
  CONTEXT_MISSING: {
    status: 401,
    message: 'This service answers only requests that carry one context token.',
    model: null,
  },
  CONTEXT_MALFORMED: { status: 401, message: 'The context token is not one that this service accepts.', model: null },
  CONTEXT_SIGNATURE: { status: 401, message: 'The context token was not signed for this service.', model: null },
  CONTEXT_EXPIRED: { status: 401, message: 'The context token is outside its time.', model: null },
  CONTEXT_WRONG_RECEIVER: { status: 401, message: 'The context token was made for another receiver.', model: null },
  CONTEXT_WRONG_REQUEST: { status: 401, message: 'The context token was made for another request.', model: null },
  CONTEXT_WRONG_OPERATION: {
    status: 401,
    message: 'The context token was made for another kind of operation.',
    model: null,
  },
  CONTEXT_REPLAYED: { status: 401, message: 'This mutation was already received once.', model: null },
  CONTEXT_UNVERIFIABLE: {
    status: 401,
    message: 'Whether this mutation is new cannot be told now; nothing was done.',
    model: null,
  },
  WORKLOAD_REFUSED: { status: 401, message: 'The workload token is not valid for this request.', model: null },
  DELEGATION_REFUSED: {
    status: 403,
    message: 'The delegation does not exist, has ended, or is not yours.',
    model: 'The user is no longer signed in for this. Ask them to send a new message.',
  },
  TICKET_REFUSED: { status: 400, message: 'The ticket is not valid, has expired, or was used.', model: null },

  CREDENTIAL_INVALID: { status: 401, message: 'The access token is not valid.', model: null },
  CREDENTIAL_UNSUPPORTED: {
    status: 401,
    message: 'Send one access token as "Authorization: Bearer ...".',
    model: null,
  },
  SESSION_ENDED: {
    status: 401,
    message: 'The session of this access token has ended. Sign in again.',
    model: 'The user is no longer signed in for this. Ask them to send a new message.',
  },
  REVOCATIONS_UNKNOWN: {
    status: 503,
    message: 'Whether this is still allowed cannot be told now. Try again.',
    model: 'The system cannot tell now whether this is still allowed. It may work later.',
  },
  LOGOUT_TOKEN_INVALID: {
    status: 400,
    message: "The logout token is not valid, or ends nobody's session.",
    model: null,
  },
  ISSUER_UNAVAILABLE: {
    status: 503,
    message: "The identity provider's keys cannot be read now. Try again.",
    model: null,
  },
  UNAUTHENTICATED: {
    status: 401,
    fromSubgraph: true,
    message: 'Sign in to see this.',
    model: 'The user is not signed in.',
  },
  UNAUTHORIZED_FIELD_OR_TYPE: {
    status: 403,
    fromSubgraph: true,
    message: 'You may not see or do this.',
    model: 'The user may not see or do this.',
  },
  STEP_UP_REQUIRED: {
    status: 401,
    fromSubgraph: true,
    message: 'Sign in again, more strongly or more recently, to do this.',
    model: 'The user has to sign in again before this can be done.',
  },
  AGENT_DENIED: {
    status: 403,
    fromSubgraph: true,
    message: 'Only a person may do this, not a program acting for one.',
    model: 'Only the user can do this, not you.',
  },
  APPROVAL_REQUIRED: {
    status: 403,
    fromSubgraph: true,
    message: "This needs the user's approval.",
    model: 'The user has to approve this first.',
  },
  APPROVAL_REJECTED: {
    status: 403,
    message: 'The user has rejected this.',
    model: 'The user has rejected this. Do not try it again.',
  },
  APPROVAL_EXPIRED: {
    status: 403,
    fromSubgraph: true,
    message: 'The time in which this could be approved and done is over.',
    model: 'The user has not approved this in time. Ask them whether they still want it.',
  },
  APPROVAL_MISMATCH: {
    status: 409,
    fromSubgraph: true,
    message: 'The approval is for something else than this.',
    model: 'The user was asked for something else than this. Make a new call.',
  },
  APPROVAL_UNKNOWN: {
    status: 404,
    fromSubgraph: true,
    message: 'You were asked for no such approval.',
    model: null,
  },
  APPROVAL_ALREADY_RESOLVED: {
    status: 409,
    fromSubgraph: true,
    message: 'This was decided before.',
    model: 'The user has decided this before.',
  },
  DELEGATION_ENDED: {
    status: 403,
    fromSubgraph: true,
    message: 'The agent that asked for this no longer acts for you: that was ended.',
    model: 'The user is no longer signed in for this. Ask them to send a new message.',
  },
  IDEMPOTENCY_MISMATCH: {
    status: 409,
    fromSubgraph: true,
    message: 'The idempotency key was used for something else.',
    model: 'This was sent before with other arguments. Nothing was done.',
  },
  ORDER_NOT_CANCELLABLE: {
    status: 409,
    fromSubgraph: true,
    message: 'The order was cancelled before, or a carrier has it.',
    model: 'The order cannot be cancelled: it was cancelled before, or a carrier has it.',
  },
  INSUFFICIENT_FUNDS: {
    status: 409,
    fromSubgraph: true,
    message: 'There is not enough money in the account.',
    model: 'There is not enough money in the account. Nothing was transferred.',
  },

  TOOL_UNKNOWN: {
    status: 404,
    message: 'There is no such tool for this caller.',
    model: 'There is no tool of that name. Use only the tools you were given.',
  },
  TOOL_ARGUMENTS_INVALID: {
    status: 400,
    message: 'The arguments do not fit the tool.',
    model: "The arguments do not fit the tool's input schema.",
  },
  TOOL_FAILED: {
    status: 502,
    message: 'The tool could not be run.',
    model: 'The tool could not be run. It may work later.',
  },
  TOOL_RESULT_TOO_LARGE: {
    status: 502,
    message: 'The result of the tool is too large.',
    model: 'The result is too large to be shown. If the tool changes something, that has happened: do not repeat it.',
  },

  SUBGRAPH_UNAVAILABLE: {
    status: 502,
    message: 'A part of the graph cannot be reached.',
    model: 'A part of the system cannot be reached. It may work later.',
  },
  SUBGRAPH_TIMEOUT: {
    status: 504,
    message: 'A part of the graph did not answer in time.',
    model: 'A part of the system did not answer in time. It may work later.',
  },
  SUBGRAPH_INVALID_RESPONSE: {
    status: 502,
    message: 'A part of the graph gave an answer that cannot be read.',
    model: 'A part of the system failed.',
  },
  OUTCOME_UNKNOWN: {
    status: 409,
    fromSubgraph: true,
    message: 'This was started once and its outcome was not recorded; it is not started again.',
    model: 'This was already started once and may have happened. Do not try it again.',
  },

  BAD_REQUEST: { status: 400, message: 'The request cannot be read.', model: null },
  GRAPHQL_PARSE_FAILED: { status: 400, message: 'The operation cannot be parsed.', model: null },
  GRAPHQL_VALIDATION_FAILED: { status: 400, message: 'The operation does not fit the schema.', model: null },
  OPERATION_RESOLUTION_FAILURE: { status: 400, message: 'Which operation to run cannot be told.', model: null },
  // The message that clients look for before they send the text.
  PERSISTED_QUERY_NOT_FOUND: { status: 200, message: 'PersistedQueryNotFound', model: null },
  DOCUMENT_UNKNOWN: { status: 404, message: 'There is no trusted document of this id.', model: null },
  DOCUMENT_NOT_TRUSTED: { status: 403, message: 'Only trusted documents are executed here.', model: null },
  BAD_USER_INPUT: {
    status: 400,
    fromSubgraph: true,
    message: 'An argument is not valid.',
    model: 'An argument is not valid.',
  },
  OPERATION_TOO_COMPLEX: {
    status: 400,
    message: 'The operation asks for too much at once.',
    model: 'That asks for too much at once. Ask for less.',
  },
  BATCH_TOO_LARGE: { status: 400, message: 'There are more operations in this request than may be.', model: null },
  SUBSCRIPTION_NOT_SERVED: {
    status: 400,
    message: 'A subscription asks for one field, which a subgraph serves.',
    model: null,
  },
  STREAM_EXPIRED: {
    status: 401,
    fromSubgraph: true,
    message: 'The time of this stream is over, as that of its access token. Continue with a new one.',
    model: null,
  },
  GRAPH_CHANGED: {
    status: 409,
    message: 'What this stream shows is no longer in the graph, or no longer for you to see. Subscribe again.',
    model: null,
  },
  STREAM_TOO_SLOW: { status: 408, message: 'Events came faster than they were read.', model: null },
  RATE_LIMITED: {
    status: 429,
    message: 'Too many requests. Try again later.',
    model: 'Too much was asked in a short time. It may work later.',
  },
  PAYLOAD_TOO_LARGE: { status: 413, message: 'The request is too large.', model: null },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, message: 'Send JSON as "Content-Type: application/json".', model: null },
  ORIGIN_REFUSED: {
    status: 403,
    message: 'This is answered at its own host only, and to no web page of another.',
    model: null,
  },
  METHOD_NOT_ALLOWED: { status: 405, message: 'This method is not served here.', model: null },
  NOT_FOUND: { status: 404, message: 'There is nothing here.', model: null },
  UNAVAILABLE: {
    status: 503,
    fromSubgraph: true,
    message: 'This cannot be answered now. Try again.',
    model: 'The system is busy. It may work later.',
  },
  INTERNAL: { status: 500, message: 'Something went wrong on our side.', model: 'Something went wrong.' },
} as const satisfies Record<string, ErrorEntry>

interface ErrorEntry {
  readonly status: number
  readonly message: string
  readonly model: string | null
  readonly fromSubgraph?: true
}

export type ErrorCode = keyof typeof errorTable
