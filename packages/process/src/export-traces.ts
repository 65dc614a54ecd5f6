import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { BatchSpanProcessor, NodeTracerProvider } from '@opentelemetry/sdk-trace-node'
import type { Telemetry } from './start-telemetry.ts'

/** Makes this process's spans go to a collector, by OTLP over HTTP with JSON. */
export function exportTraces(name: string, endpoint: string): Telemetry {
  // OTLP Exporter, "Endpoint URLs for OTLP/HTTP": a base, to which the signal's path is added.
  const url = `${endpoint.replace(/\/$/, '')}/v1/traces`
  const provider = new NodeTracerProvider({
    resource: resourceFromAttributes({ 'service.name': name, 'service.namespace': 'behalf' }),
    spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter({ url }))],
  })
  // No baggage: what a client puts in there would travel on.
  provider.register({ propagator: new W3CTraceContextPropagator() })
  return { close: () => provider.shutdown() }
}
