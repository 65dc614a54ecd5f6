import type { ServerResponse } from 'node:http'
import type { GoneListener, GoneSignal } from '../execute/gone-signal.ts'

/** Aborts when the client goes away before it has its answer. */
export class ClientGone implements GoneSignal {
  aborted = false
  #listeners: Set<GoneListener> | null = null
  #controller: AbortController | null = null

  constructor(response: ServerResponse) {
    response.on('close', () => {
      if (!response.writableFinished) this.#abort()
    })
  }

  /** For whoever needs a whole one. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    if (this.aborted) this.#controller.abort()
    return this.#controller.signal
  }

  addEventListener(_type: 'abort', listener: GoneListener): void {
    this.#listeners ??= new Set()
    this.#listeners.add(listener)
  }

  removeEventListener(_type: 'abort', listener: GoneListener): void {
    this.#listeners?.delete(listener)
  }

  #abort(): void {
    this.aborted = true
    this.#controller?.abort()
    for (const listener of this.#listeners ?? []) listener.handleEvent()
  }
}
