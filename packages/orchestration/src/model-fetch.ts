import { contextTokenHeader } from '@behalf/identity'
import { ModelError } from './model-backend.ts'
import { normaliseChunk } from './normalise-chunk.ts'

/**
 * The `fetch` given to the adapter: follows no redirects (they would carry the conversation and the key elsewhere),
 * bounds the answer, and turns what servers really send into what the adapter accepts.
 */
export function createModelFetch(options: {
  readonly fetch: typeof globalThis.fetch
  readonly maxBytes: number
  /** For a server that may know who is answered: the context token of a request with this body. */
  readonly contextFor?: ((body: Uint8Array) => Promise<string>) | undefined
}): typeof globalThis.fetch {
  const { fetch, maxBytes, contextFor } = options
  return async (input, init) => {
    const response = await fetch(input, { ...(await withContext(init, contextFor)), redirect: 'manual' })
    if (response.type === 'opaqueredirect' || (response.status >= 300 && response.status < 400)) {
      await response.body?.cancel()
      throw new ModelError('MODEL_UNAVAILABLE', { cause: `the model server redirects (${response.status})` })
    }
    if (!response.body) return response
    const bounded = response.body.pipeThrough(boundBytes(maxBytes))
    if (!response.ok) return new Response(bounded, response)
    // Proxies name a stream text/plain, or nothing at all; one document is JSON, and says so.
    const streamed = !/\bjson\b/i.test(response.headers.get('content-type') ?? '')
    const lines = bounded.pipeThrough(new TextDecoderStream())
    const events = lines.pipeThrough(streamed ? normaliseLines(maxBytes) : wholeAnswer())
    return new Response(events.pipeThrough(new TextEncoderStream()), {
      status: response.status,
      headers: { 'content-type': 'text/event-stream' },
    })
  }
}

/** The bytes that are sent are those that the token is for. */
async function withContext(
  init: RequestInit | undefined,
  contextFor: ((body: Uint8Array) => Promise<string>) | undefined,
): Promise<RequestInit | undefined> {
  if (contextFor === undefined) return init
  const body = new TextEncoder().encode(String(init?.body ?? ''))
  const headers = new Headers(init?.headers)
  headers.set(contextTokenHeader, await contextFor(body))
  return { ...init, headers, body }
}

function boundBytes(limit: number): TransformStream<Uint8Array, Uint8Array> {
  let size = 0
  return new TransformStream({
    transform(chunk, controller) {
      size += chunk.byteLength
      if (size > limit) controller.error(new ModelError('MODEL_BAD_OUTPUT', { cause: `an answer over ${limit} bytes` }))
      else controller.enqueue(chunk)
    },
  })
}

const finish = JSON.stringify({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] })

/** Server-sent events line by line; only `data:` lines are touched. */
function normaliseLines(limit: number): TransformStream<string, string> {
  let rest = ''
  let finished = false
  const emit = (line: string, controller: TransformStreamDefaultController<string>) => {
    const normal = normaliseLine(line)
    finished ||= normal.includes('"finish_reason":"')
    // The end was said, and not why: the answer is whole.
    if (!finished && /^data: ?\[DONE\]/.test(normal)) controller.enqueue(`data: ${finish}\n\n`)
    controller.enqueue(`${normal}\n`)
  }
  return new TransformStream({
    transform(chunk, controller) {
      const lines = (rest + chunk).split(/\r\n|\n|\r(?!$)/)
      rest = lines.pop() ?? ''
      if (rest.length > limit) controller.error(new ModelError('MODEL_BAD_OUTPUT', { cause: 'an endless line' }))
      for (const line of lines) emit(line, controller)
    },
    flush(controller) {
      // Some servers end without the blank line that would complete the last event.
      if (rest !== '') emit(rest.replace(/\r$/, ''), controller)
      controller.enqueue('\n')
    },
  })
}

function normaliseLine(line: string): string {
  const data = /^data: ?(?<data>.*)$/.exec(line)?.groups?.['data']
  if (data === undefined || !data.startsWith('{')) return line
  try {
    return `data: ${JSON.stringify(normaliseChunk(JSON.parse(data)))}`
  } catch {
    return line
  }
}

/** A server that does not stream answers with one JSON document. */
function wholeAnswer(): TransformStream<string, string> {
  let text = ''
  return new TransformStream({
    transform(chunk) {
      text += chunk
    },
    flush(controller) {
      const line = normaliseLine(`data: ${text.replaceAll(/[\r\n]+/g, ' ').trim()}`)
      controller.enqueue(`${line}\n\n`)
      // It is whole, and does not say why it ended.
      if (line.includes('"delta":') && !line.includes('"finish_reason":"')) controller.enqueue(`data: ${finish}\n\n`)
    },
  })
}
