import { createParser, type EventSourceMessage } from 'eventsource-parser'

/** What came with some bytes. */
export interface ReadEvents {
  readonly events: readonly EventSourceMessage[]
  /** After them. */
  readonly fault: Error | null
}

/** Reads an event stream as its bytes come. Between events, where it spends nearly all of its time, it holds nothing. */
export class EventReader {
  readonly #maxBytes: number
  #reading: ReturnType<typeof startReading> | null = null

  /** @param maxBytes - of one event */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  read(chunk: Uint8Array): ReadEvents {
    const reading = (this.#reading ??= startReading(this.#maxBytes))
    if (endsEvent(chunk)) this.#reading = null
    return reading(chunk)
  }
}

function startReading(maxBytes: number): (chunk: Uint8Array) => ReadEvents {
  const utf8 = new TextDecoder()
  let events: EventSourceMessage[] = []
  let fault: Error | null = null
  const parser = createParser({
    maxBufferSize: maxBytes,
    onEvent: (event) => void events.push(event),
    onError: (error) => {
      if (error.type === 'max-buffer-size-exceeded') fault = error
    },
  })
  return (chunk) => {
    events = []
    parser.feed(utf8.decode(chunk, { stream: true }))
    return { events, fault }
  }
}

const newline = 0x0a
/** Whether an empty line is the last of it, as it is where whole events are written. */
const endsEvent = (chunk: Uint8Array): boolean => chunk.at(-1) === newline && chunk.at(-2) === newline
