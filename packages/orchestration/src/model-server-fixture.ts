import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach } from 'vitest'
import type { OfferedTool } from '@behalf/identity'
import { languageModel, type LanguageModelOptions } from './language-model.ts'
import type { ModelEvent, ModelMessage, ModelRequest } from './model-backend.ts'

export interface Received {
  readonly headers: IncomingMessage['headers']
  readonly body: { readonly [key: string]: unknown }
  readonly raw: Buffer
}
export type Handler = (response: ServerResponse, received: Received, attempt: number) => void

const cleanups: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup()
})

/** A server that speaks the protocol of chat completions as the test tells it. */
export async function serve(handler: Handler) {
  const received: Received[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const raw = Buffer.concat(chunks)
      received.push({ headers: request.headers, body: JSON.parse(raw.toString() || '{}') as Received['body'], raw })
      handler(response, received.at(-1) as Received, received.length)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  cleanups.push(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  return { received, baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1` }
}

export const stream = (response: ServerResponse, chunks: readonly (object | string)[]) => {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  for (const chunk of chunks) response.write(`data: ${typeof chunk === 'string' ? chunk : JSON.stringify(chunk)}\n\n`)
  response.end()
}
export const delta = (part: object, finish: string | null = null) => ({
  id: 'x',
  choices: [{ index: 0, delta: part, finish_reason: finish }],
})
export const calls = (...tool_calls: object[]) => delta({ tool_calls })
export const usage = {
  id: 'x',
  choices: [],
  usage: { prompt_tokens: 12, completion_tokens: 3, prompt_tokens_details: { cached_tokens: 4 } },
}

export const tool: OfferedTool = {
  name: 'get_balance',
  title: 'Balance',
  description: 'The balance.',
  inputSchema: { type: 'object', properties: {}, additionalProperties: false },
  readOnly: true,
  requiresApproval: false,
  examples: ['not for the model'],
}
export const question: readonly ModelMessage[] = [
  { role: 'system', text: 'Be brief.' },
  { role: 'user', text: 'Hi' },
]

export async function generate(
  baseUrl: string,
  options: Partial<LanguageModelOptions> = {},
  messages = question,
  signal = new AbortController().signal,
  contextFor?: ModelRequest['contextFor'],
) {
  const events: ModelEvent[] = []
  const model = languageModel({ baseUrl, model: 'm', retryDelaysMs: [1, 1], ...options })
  const request = { messages, tools: [tool], signal, ...(contextFor && { contextFor }) }
  for await (const event of model.generate(request)) events.push(event)
  return events
}

export const toolCalls = (events: readonly ModelEvent[]) =>
  events.flatMap((event) => (event.type === 'call' ? [[event.name, event.arguments]] : []))
