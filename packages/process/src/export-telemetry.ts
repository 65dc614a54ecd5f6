import { metrics } from '@opentelemetry/api'
import { getNumberFromEnv, W3CTraceContextPropagator } from '@opentelemetry/core'
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-http'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics'
import { BatchSpanProcessor, NodeTracerProvider } from '@opentelemetry/sdk-trace-node'
import type { Telemetry } from './start-telemetry.ts'

const defaultIntervalMs = 60_000

/** Makes this process's spans and metrics go to a collector, by OTLP over HTTP with JSON. */
export function exportTelemetry(name: string, endpoint: string): Telemetry {
  // OTLP Exporter, "Endpoint URLs for OTLP/HTTP": a base, to which the signal's path is added.
  const base = endpoint.replace(/\/$/, '')
  const resource = resourceFromAttributes({ 'service.name': name, 'service.namespace': 'behalf' })
  const tracers = new NodeTracerProvider({
    resource,
    spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter({ url: `${base}/v1/traces` }))],
  })
  // No baggage: what a client puts in there would travel on.
  tracers.register({ propagator: new W3CTraceContextPropagator() })

  // The reader does not look for it itself, as the rest of the SDK does for what is its own.
  const given = getNumberFromEnv('OTEL_METRIC_EXPORT_INTERVAL') ?? 0
  const exportIntervalMillis = given > 0 ? given : defaultIntervalMs
  const exporter = new OTLPMetricExporter({ url: `${base}/v1/metrics` })
  const meters = new MeterProvider({
    resource,
    readers: [
      new PeriodicExportingMetricReader({
        exporter,
        exportIntervalMillis,
        exportTimeoutMillis: Math.min(exportIntervalMillis, 30_000),
      }),
    ],
  })
  metrics.setGlobalMeterProvider(meters)
  return { close: async () => void (await Promise.allSettled([tracers.shutdown(), meters.shutdown()])) }
}
