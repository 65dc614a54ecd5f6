import { contextTokenHeader } from '@behalf/identity'

interface RunEvent {
  readonly seq: number | null
  readonly event: {
    readonly kind: string
    readonly messageId?: string
    readonly offset: number
    readonly text: string
    readonly toolCall?: { readonly id: string; readonly status: string }
    readonly run?: { readonly id: string; readonly status: string; readonly message: { readonly text: string } | null }
  }
}

/** A stream of `chatRunEvents`. */
export interface ChatStream extends AsyncDisposable {
  readonly seen: readonly RunEvent[]
  /** Codes. */
  readonly errors: readonly string[]
  next(): Promise<RunEvent | null>
  /** To the end. */
  rest(): Promise<RunEvent[]>
}

export async function openChatStream(
  url: string,
  request: object,
  sign: (body: Uint8Array) => string,
): Promise<ChatStream> {
  const body = new TextEncoder().encode(JSON.stringify(request))
  const gone = new AbortController()
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', [contextTokenHeader]: sign(body) },
    body,
    signal: gone.signal,
  })
  const seen: RunEvent[] = []
  const errors: string[] = []
  async function* read(): AsyncGenerator<RunEvent | null> {
    let text = ''
    const utf8 = new TextDecoder()
    for await (const chunk of response.body ?? []) {
      text += utf8.decode(chunk, { stream: true })
      const blocks = text.split('\n\n')
      text = blocks.pop() ?? ''
      for (const block of blocks) {
        const [, data] = /^event: next\ndata: (.*)$/.exec(block) ?? []
        if (data === undefined) continue
        const result = JSON.parse(data) as {
          data?: { chatRunEvents: RunEvent | null } | null
          errors?: { extensions: { code: string } }[]
        }
        errors.push(...(result.errors ?? []).map(({ extensions }) => extensions.code))
        if (result.data == null) continue
        if (result.data.chatRunEvents) seen.push(result.data.chatRunEvents)
        yield result.data.chatRunEvents
      }
    }
  }
  const events = read()
  return {
    seen,
    errors,
    async next() {
      const { value, done } = await events.next()
      if (done) throw new Error(`The stream has ended: ${errors.join()}`)
      return value
    },
    async rest() {
      const left: RunEvent[] = []
      for await (const event of events) left.push(event as RunEvent)
      return left
    },
    async [Symbol.asyncDispose]() {
      gone.abort()
    },
  }
}
