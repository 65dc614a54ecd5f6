/** How much of the process one request, or its end, may take. */
export interface Limits {
  /** Largest request body, in bytes. */
  readonly bodyBytes: number
  /** A request has to have arrived after this many milliseconds. */
  readonly arrivalMs: number
  /** An operation has to have been answered after this many milliseconds; it is undone otherwise. */
  readonly answerMs: number
  /** Requests that are under way when the subgraph closes have this many milliseconds to end. */
  readonly drainMs: number
  /** A stream without an event for so many milliseconds says that it is still there. */
  readonly heartbeatMs: number
  /** A stream that is not read for so many milliseconds is ended. */
  readonly stallMs: number
}

export const defaultLimits: Limits = {
  bodyBytes: 1024 * 1024,
  arrivalMs: 10_000,
  answerMs: 20_000,
  drainMs: 10_000,
  heartbeatMs: 15_000,
  stallMs: 10_000,
}
