/**
 * Whether whoever waits for an answer has gone, as an `AbortSignal` says it, which is one: of one, what is used while
 * something is executed. Making one for each request takes longer than most of what is done for it.
 */
export interface GoneSignal {
  readonly aborted: boolean
  addEventListener(type: 'abort', listener: GoneListener): void
  removeEventListener(type: 'abort', listener: GoneListener): void
}

export interface GoneListener {
  handleEvent(): void
}
