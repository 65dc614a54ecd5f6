import { randomBytes } from 'node:crypto'
import { context, propagation, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { secretsIn, startTestGateway, type TestGateway } from './fixtures/test-gateway.ts'

const exporter = new InMemorySpanExporter()
const provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
let gateway: TestGateway
beforeAll(async () => {
  provider.register()
  gateway = await startTestGateway({ batching: { most: 2 } })
})
afterAll(async () => {
  await gateway[Symbol.asyncDispose]()
  await provider.shutdown()
  // Other files run in this process, without an SDK.
  for (const each of [trace, propagation, context]) each.disable()
})
afterEach(() => {
  exporter.reset()
  for (const each of gateway.graph.all) {
    each.received.length = 0
    each.misbehave = null
  }
})

const spans = (name: string) => exporter.getFinishedSpans().filter((span) => span.name === name)
const traceparent = () => `00-${randomBytes(16).toString('hex')}-${randomBytes(8).toString('hex')}-01`
const sent = (name: string) => (_value: string, index: number, raw: readonly string[]) => raw[index - 1] === name

describe('[P14] with an SDK, a request', () => {
  it("is a span of the client's trace, and each subgraph is told of its own fetch as the parent", async () => {
    const client = traceparent()
    const [, traceId, clientSpan] = client.split('-')
    const query = '{ viewer { id orders { id } } }'
    const { body } = await gateway.ask(query, {
      token: await gateway.token({ scope: 'profile' }),
      headers: { traceparent: client, tracestate: 'vendor=1', baggage: 'user=ada' },
    })
    const [request] = spans('POST /graphql')
    expect(request).toMatchObject({
      kind: SpanKind.SERVER,
      parentSpanContext: { spanId: clientSpan, traceId },
      attributes: {
        'behalf.txn': body.extensions?.txn,
        'graphql.operation.type': 'query',
        'http.response.status_code': 200,
      },
    })
    expect(new Set(exporter.getFinishedSpans().map((span) => span.spanContext().traceId))).toEqual(new Set([traceId]))
    for (const { name, received } of [gateway.graph.users, gateway.graph.orders]) {
      const [fetch] = spans(`POST ${name}`)
      expect(fetch).toMatchObject({
        kind: SpanKind.CLIENT,
        attributes: { 'behalf.txn': body.extensions?.txn, 'behalf.subgraph': name, 'graphql.operation.type': 'query' },
      })
      const { rawHeaders = [] } = received[0] ?? {}
      expect(rawHeaders.filter(sent('traceparent'))).toEqual([`00-${traceId}-${fetch?.spanContext().spanId}-01`])
      expect(rawHeaders.filter(sent('tracestate'))).toEqual(['vendor=1'])
      expect(rawHeaders.map((header) => header.toLowerCase())).not.toContain('baggage')
    }
  })

  it('with several operations has a span for each that is not the first, under its own transaction', async () => {
    const { text } = await gateway.send('/graphql', {
      method: 'POST',
      headers: { 'content-type': 'application/json', traceparent: traceparent() },
      body: JSON.stringify([{ query: '{ chatBackend }' }, { query: '{ whoami }' }]),
    })
    const txns = (JSON.parse(text) as { extensions: { txn: string } }[]).map(({ extensions }) => extensions.txn)
    const [request] = spans('POST /graphql')
    const [second] = spans('batched operation')
    expect(request?.attributes).toMatchObject({ 'behalf.txn': txns[0] })
    expect(second).toMatchObject({
      attributes: { 'behalf.txn': txns[1] },
      parentSpanContext: { spanId: request?.spanContext().spanId },
    })
    expect(spans('POST chat')[0]?.attributes).toMatchObject({ 'behalf.txn': txns[0] })
    expect(spans('POST users')[0]?.attributes).toMatchObject({ 'behalf.txn': txns[1] })
    const { traceId } = request?.spanContext() ?? {}
    expect(new Set(exporter.getFinishedSpans().map((span) => span.spanContext().traceId))).toEqual(new Set([traceId]))
  })

  it('without a trace begins one', async () => {
    await gateway.ask('{ whoami }')
    expect(spans('POST /graphql')[0]?.parentSpanContext).toBeUndefined()
    const { rawHeaders = [] } = gateway.graph.users.received[0] ?? {}
    expect(rawHeaders.filter(sent('traceparent'))).toHaveLength(1)
  })

  it('that fails has the status of an error, and not its message', async () => {
    gateway.graph.users.misbehave = (response) => response.writeHead(500).end('hush-hush')
    await gateway.ask('{ whoami }')
    expect(spans('POST users')[0]?.status).toEqual({ code: SpanStatusCode.ERROR })
    await gateway.ask('{ whoami }', { token: 'not.a.token' })
    expect(spans('admit').at(-1)?.status).toEqual({ code: SpanStatusCode.ERROR })
  })

  it('[P2] leaves no argument, answer, text or credential in any span', async () => {
    const variables = { id: 'hush-variable' }
    await gateway.ask('query Mine($id: ID!) { order(id: $id) { id } again: order(id: "hush-literal") { id } }', {
      token: await gateway.token({ scope: 'orders:read' }),
      variables,
    })
    await gateway.ask('query ($id: Boolean!) { order(id: "hush-literal") @skip(if: $id) { id } }', {
      token: await gateway.token(),
      variables: { id: 'hush-wrong' },
    })
    await gateway.ask('mutation { chatSend(text: "hush-text") }', { token: await gateway.token({ scope: 'chat' }) })
    const all = exporter
      .getFinishedSpans()
      .map(({ name, attributes, events, status, links }) => JSON.stringify({ name, attributes, events, status, links }))
    expect(all.length).toBeGreaterThan(10)
    expect(all.join()).toContain('gateway.execute')
    expect(all.join()).not.toContain('hush')
    const credentials = [...gateway.secrets, ...gateway.graph.all.flatMap(({ secrets }) => [...secrets])]
    expect(credentials.length).toBeGreaterThan(4)
    expect(secretsIn(all, credentials)).toEqual([])
    expect(secretsIn([...all, credentials[1] ?? ''], credentials)).toHaveLength(1)
  })
})
