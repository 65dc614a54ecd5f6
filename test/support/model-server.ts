import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

interface ChatRequest {
  readonly model: string
  readonly messages: readonly { readonly role: string; readonly content?: unknown }[]
  readonly tools?: readonly { readonly function: { readonly name: string; readonly parameters: unknown } }[]
}

/** What the model says next: a text, of which all but the beginning can be made to wait, or a call of a tool. */
export type Reply =
  | { readonly text: string; readonly hold?: Promise<unknown> }
  | { readonly call: string; readonly arguments: string }
  | { readonly calls: readonly { readonly call: string; readonly arguments: string }[]; readonly finish?: string }

export interface ModelServer extends AsyncDisposable {
  /** Value of `MODEL_BASE_URL`. */
  readonly baseUrl: string
  readonly requests: {
    readonly headers: Readonly<Record<string, unknown>>
    readonly raw: string
    readonly body: ChatRequest
  }[]
  /** Chosen by tests: what the model answers to a request. */
  reply: (request: ChatRequest) => Reply | { readonly status: number }
}

/** A server that speaks the OpenAI chat completions protocol, streaming, as vLLM or llama.cpp do. */
export async function startModelServer(): Promise<ModelServer> {
  const requests: ModelServer['requests'] = []
  const model: Pick<ModelServer, 'reply'> = { reply: () => ({ text: 'Nothing was scripted.' }) }
  const server = createServer((request, response) => {
    void (async () => {
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk as Buffer)
      const raw = Buffer.concat(chunks).toString()
      const body = JSON.parse(raw) as ChatRequest
      requests.push({ headers: request.headers, raw, body })
      const reply = model.reply(body)
      if ('status' in reply)
        response
          .writeHead(reply.status, { 'content-type': 'application/json' })
          .end('{"error":{"message":"No such key."}}')
      else await stream(response, body.model, reply)
    })().catch(() => response.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return Object.assign(model, {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  })
}

/** In small pieces, so that whoever reads it has to put names, arguments and texts together. */
async function stream(response: ServerResponse, model: string, reply: Reply): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  const send = (delta: unknown, finish: string | null = null) =>
    response.write(
      `data: ${JSON.stringify({ id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 0, model, choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`,
    )
  if ('text' in reply) {
    for (const [index, piece] of (reply.text.match(/.{1,7}/gs) ?? []).entries()) {
      if (index === 1) await reply.hold
      send({ content: piece })
    }
    send({}, 'stop')
  } else if ('calls' in reply) {
    for (const [index, { call, arguments: given }] of reply.calls.entries())
      send({
        tool_calls: [{ index, id: `call_${index}`, type: 'function', function: { name: call, arguments: given } }],
      })
    send({}, reply.finish ?? 'tool_calls')
  } else {
    send({
      role: 'assistant',
      tool_calls: [{ index: 0, id: 'call_a', type: 'function', function: { name: reply.call, arguments: '' } }],
    })
    for (const piece of reply.arguments.match(/.{1,4}/gs) ?? [])
      send({ tool_calls: [{ index: 0, function: { arguments: piece } }] })
    send({}, 'tool_calls')
  }
  response.write(
    `data: ${JSON.stringify({ id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 0, model, choices: [], usage: { prompt_tokens: 90, completion_tokens: 10, total_tokens: 100 } })}\n\n`,
  )
  response.end('data: [DONE]\n\n')
  await once(response, 'close')
}
