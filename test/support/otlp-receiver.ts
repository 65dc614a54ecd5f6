import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A span as OTLP's JSON has it (OpenTelemetry protocol 1.x, "JSON Protobuf Encoding"). */
export interface ReceivedSpan {
  /** `service.name` of who sent it. */
  readonly service: string
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly attributes: Readonly<Record<string, unknown>>
}

/** A metric with its points, as OTLP's JSON has it. */
export interface ReceivedMetric {
  readonly service: string
  readonly name: string
  readonly unit: string
  /** Of each point. */
  readonly attributes: readonly Readonly<Record<string, unknown>>[]
}

export interface OtlpReceiver extends AsyncDisposable {
  /** For `OTEL_EXPORTER_OTLP_ENDPOINT`. */
  readonly url: string
  /** Paths that were asked for. */
  readonly paths: ReadonlySet<string>
  /** Everything that arrived, byte for byte, headers included. */
  received(): string
  spans(): readonly ReceivedSpan[]
  metrics(): readonly ReceivedMetric[]
}

interface Attribute {
  readonly key: string
  readonly value: Readonly<Record<string, unknown>>
}
interface Points {
  readonly dataPoints: readonly { readonly attributes: readonly Attribute[] }[]
}
interface ExportedMetrics {
  readonly resourceMetrics: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] }
    readonly scopeMetrics: readonly {
      readonly metrics: readonly (Pick<ReceivedMetric, 'name' | 'unit'> & {
        readonly sum?: Points
        readonly gauge?: Points
        readonly histogram?: Points
      })[]
    }[]
  }[]
}
interface ExportedSpans {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] }
    readonly scopeSpans: readonly {
      readonly spans: readonly (Omit<ReceivedSpan, 'attributes'> & { attributes: Attribute[] })[]
    }[]
  }[]
}

/** A collector: whatever is sent to it by OTLP over HTTP with JSON is kept. */
export async function startOtlpReceiver(): Promise<OtlpReceiver> {
  const bodies: { readonly path: string; readonly body: string }[] = []
  const raw: string[] = []
  const paths = new Set<string>()
  const server = createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray()).toString()
    paths.add(request.url ?? '')
    raw.push(JSON.stringify(request.rawHeaders), body)
    bodies.push({ path: request.url ?? '', body })
    response.setHeader('content-type', 'application/json').end('{}')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')

  const sentTo = (wanted: string) =>
    bodies.filter(({ path }) => path === wanted).map(({ body }) => JSON.parse(body) as unknown)
  const spans = () =>
    sentTo('/v1/traces')
      .flatMap((body) => (body as ExportedSpans).resourceSpans)
      .flatMap(({ resource, scopeSpans }) => {
        const service = String(valuesOf(resource.attributes)['service.name'])
        return scopeSpans.flatMap((scope) =>
          scope.spans.map((span) => ({ ...span, service, attributes: valuesOf(span.attributes) })),
        )
      })
  const metrics = () =>
    sentTo('/v1/metrics')
      .flatMap((body) => (body as ExportedMetrics).resourceMetrics)
      .flatMap(({ resource, scopeMetrics }) => {
        const service = String(valuesOf(resource.attributes)['service.name'])
        return scopeMetrics.flatMap((scope) =>
          scope.metrics.map(({ name, unit, sum, gauge, histogram }) => {
            const { dataPoints = [] } = sum ?? gauge ?? histogram ?? {}
            return { service, name, unit, attributes: dataPoints.map((point) => valuesOf(point.attributes)) }
          }),
        )
      })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    paths,
    received: () => raw.join('\n'),
    spans,
    metrics,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

const valuesOf = (attributes: readonly Attribute[]): Record<string, unknown> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]))
