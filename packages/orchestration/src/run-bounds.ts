/** What one run may use. Whatever is exhausted, the run ends as INCOMPLETE with a code. */
export interface RunBounds {
  /** Model calls. */
  readonly steps: number
  /** Tool calls that one model answer may propose; with more, none of them is made. */
  readonly callsPerStep: number
  /** From the first start of the run, whoever continues it. */
  readonly wallTimeMs: number
  /** Input and output tokens of all steps; estimated where the backend reports none. */
  readonly tokens: number
  /** UTF-16 units of text in one model answer. */
  readonly textLength: number
  /** UTF-16 units of one call's arguments, as JSON text. */
  readonly argumentsLength: number
}

export const defaultBounds: RunBounds = Object.freeze({
  steps: 8,
  callsPerStep: 8,
  wallTimeMs: 120_000,
  tokens: 60_000,
  textLength: 32_000,
  argumentsLength: 16_384,
})
