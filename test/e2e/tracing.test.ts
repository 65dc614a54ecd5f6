import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type OtlpReceiver, startOtlpReceiver } from '../support/otlp-receiver.ts'
import { startSystem, type System } from '../support/system.ts'

let collector: OtlpReceiver
let system: System
beforeAll(async () => {
  collector = await startOtlpReceiver()
  system = await startSystem({ env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, LOG_LEVEL: 'debug' } })
})
afterAll(async () => {
  await system.stop()
  await collector[Symbol.asyncDispose]()
})

const traceId = randomBytes(16).toString('hex')
const query = 'query Mine($id: ID!) { viewer { id balance { amount } } order(id: $id) { id total } }'
const send = 'mutation ($input: ChatSendInput!) { chatSend(input: $input) { run { status } } }'
const ofTxn = (txn: string | undefined) =>
  collector.spans().filter(({ attributes }) => attributes['behalf.txn'] === txn)

describe('[P14] with a collector', () => {
  const tokens: string[] = []
  let total = ''

  it('one trace goes through the gateway and every subgraph, and names the transaction', async () => {
    const token = await system.token('ada')
    tokens.push(token)
    const response = await fetch(system.urls.graphql, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        authorization: `Bearer ${token}`,
        traceparent: `00-${traceId}-${randomBytes(8).toString('hex')}-01`,
      },
      body: JSON.stringify({ query, variables: { id: 'ord_7Kx2' } }),
    })
    const { data, extensions } = (await response.json()) as {
      data: { order: { total: string } }
      extensions: { txn: string }
    }
    total = data.order.total
    const { txn } = extensions
    const services = ['balance', 'gateway', 'identity', 'orders']
    await expect
      .poll(() => [...new Set(ofTxn(txn).map(({ service }) => service))].toSorted(), { timeout: 30_000 })
      .toEqual(services)
    expect(collector.paths).toContain('/v1/traces')
    const spans = collector.spans().filter((span) => span.traceId === traceId)
    expect([...new Set(spans.map(({ service }) => service))].toSorted()).toEqual(services)
    // Each subgraph's span hangs on the fetch that was sent to it.
    for (const service of ['balance', 'identity', 'orders']) {
      const served = spans.find((span) => span.service === service)
      const fetched = spans.find(({ spanId }) => spanId === served?.parentSpanId)
      expect(fetched).toMatchObject({
        service: 'gateway',
        name: `POST ${service}`,
        attributes: { 'behalf.txn': txn, 'behalf.subgraph': service },
      })
    }
    expect(ofTxn(txn).every((span) => span.traceId === traceId)).toBe(true)
  })

  it('a tool call is a span that names its tool and the message', async () => {
    const token = await system.token('ben')
    tokens.push(token)
    const input = { text: 'Where is my order ord_7Kx2?', idempotencyKey: 'traced' }
    const { body } = await system.graphql(token, send, { input })
    expect(body.data?.['chatSend'].run.status).toBe('COMPLETED')
    await expect
      .poll(() => collector.spans().filter(({ name }) => name === 'tool call'), { timeout: 30_000 })
      .toMatchObject([
        {
          service: 'gateway',
          attributes: { 'behalf.tool': 'get_order_status', 'behalf.parent': body.extensions?.txn },
        },
      ])
  })

  it('what is not sent yet is sent when a process ends', async () => {
    const { body } = await system.graphql(await system.token('chloe'), '{ viewer { id name } }')
    expect(await system.stop()).toBe(0)
    expect(new Set(ofTxn(body.extensions?.txn).map(({ service }) => service))).toEqual(new Set(['gateway', 'identity']))
  })

  it('metrics came, at the latest when the processes ended', () => {
    const of = (service: string) => collector.metrics().filter((metric) => metric.service === service)
    const names = new Set(of('gateway').map(({ name }) => name))
    for (const name of ['http.server.request.duration', 'http.server.active_requests']) expect(names).toContain(name)
    expect(of('gateway').find(({ name }) => name === 'http.server.request.duration')).toMatchObject({
      unit: 's',
      attributes: expect.arrayContaining([
        {
          'http.request.method': 'POST',
          'http.route': '/graphql',
          'http.response.status_code': 200,
          'url.scheme': 'http',
        },
      ]),
    })
  })

  it('[P2] no credential, context token, argument, text or answer is in any byte that was exported', () => {
    const bytes = collector.received()
    const secretsIn = (text: string) =>
      ['ord_', 'Where is', total, 'usr_', ...tokens.map((token) => token.split('.')[2] ?? '')].filter((secret) =>
        text.includes(secret),
      )
    expect(total).not.toBe('')
    expect(bytes).toContain('gateway.execute')
    expect(bytes).toContain('get_order_status')
    expect(collector.paths).toEqual(new Set(['/v1/traces', '/v1/metrics']))
    expect(secretsIn(bytes)).toEqual([])
    expect(bytes).not.toMatch(/eyJ[\w-]{10,}/)
    expect(secretsIn(`${bytes} ord_7Kx2 ${tokens[0]}`)).toHaveLength(2)
  })
})
