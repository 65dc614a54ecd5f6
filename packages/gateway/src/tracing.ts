import {
  type Attributes,
  context,
  type Context,
  INVALID_SPAN_CONTEXT,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api'
import type { TraceContext } from './execute/request-context.ts'

const tracer = trace.getTracer('@behalf/gateway')

/**
 * Runs `work` as a span. Where no SDK is loaded, that is all it does.
 *
 * @param attributes - names and codes only: no argument, no text of a user's or a model's, no token
 * @param parent - default: the span in which this is called
 */
export function inSpan<T>(
  name: string,
  options: { readonly kind?: SpanKind; readonly attributes?: Attributes; readonly parent?: Context },
  work: (span: Span) => Promise<T>,
): Promise<T> {
  const { kind = SpanKind.INTERNAL, attributes = {}, parent = context.active() } = options
  const span = tracer.startSpan(name, { kind, attributes }, parent)
  return span.spanContext() === INVALID_SPAN_CONTEXT ? work(span) : inContext(parent, span, work)
}

async function inContext<T>(parent: Context, span: Span, work: (span: Span) => Promise<T>): Promise<T> {
  try {
    return await context.with(trace.setSpan(parent, span), () => work(span))
  } catch (error) {
    // Without its message, which may quote what was sent.
    span.setStatus({ code: SpanStatusCode.ERROR })
    throw error
  } finally {
    span.end()
  }
}

/** The trace that a client's headers name, as the parent of ours. */
export const traceOfClient = (headers: TraceContext): Context => propagation.extract(ROOT_CONTEXT, headers)

/** Headers that name the running span; where none is recorded, those that the client sent. */
export function traceHeaders(ofClient: TraceContext): TraceContext {
  const headers: Record<string, string> = {}
  propagation.inject(context.active(), headers)
  return Object.keys(headers).length > 0 ? headers : ofClient
}
