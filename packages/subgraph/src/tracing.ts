import {
  type Context,
  context,
  INVALID_SPAN_CONTEXT,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api'

const tracer = trace.getTracer('@behalf/subgraph')

/**
 * Runs `work` as a span of the gateway's trace; only what a context token vouches for gets this far. Where no SDK is
 * loaded, it only runs it.
 */
export function inServerSpan<T>(
  headers: { readonly traceparent: string; readonly tracestate?: string } | null,
  txn: string,
  work: () => Promise<T>,
): Promise<T> {
  const parent = propagation.extract(ROOT_CONTEXT, headers ?? {})
  const attributes = { 'behalf.txn': txn, 'http.request.method': 'POST', 'http.route': '/graphql' }
  const span = tracer.startSpan('POST /graphql', { kind: SpanKind.SERVER, attributes }, parent)
  return span.spanContext() === INVALID_SPAN_CONTEXT ? work() : inContext(parent, span, work)
}

async function inContext<T>(parent: Context, span: Span, work: () => Promise<T>): Promise<T> {
  try {
    return await context.with(trace.setSpan(parent, span), work)
  } catch (error) {
    // Without its message, which may quote what was sent.
    span.setStatus({ code: SpanStatusCode.ERROR })
    throw error
  } finally {
    span.end()
  }
}
