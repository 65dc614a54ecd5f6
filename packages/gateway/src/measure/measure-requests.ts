import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Attributes } from '@opentelemetry/api'
import { durationBoundaries, gatewayMeter, isMeasured } from './meter.ts'

/** Is shown each request of a port before anything is done with it. */
export type MeasureRequest = (request: IncomingMessage, response: ServerResponse) => void

/** Semantic conventions for HTTP metrics: any other is `_OTHER`, or clients could make as many series as they like. */
const methods: ReadonlySet<string> = new Set([
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'DELETE',
  'CONNECT',
  'OPTIONS',
  'TRACE',
  'PATCH',
  'QUERY',
])

/**
 * Measures requests, whatever becomes of them, and tells nothing that a client could choose. Null where nobody measures.
 *
 * @param isRoute - whether there is a route of exactly this path.
 */
export function createRequestMeter(
  isRoute: (at: { readonly method: string; readonly url: string }) => boolean,
): MeasureRequest | null {
  if (!isMeasured()) return null
  const duration = gatewayMeter().createHistogram('http.server.request.duration', {
    description: 'Duration of HTTP server requests',
    unit: 's',
    advice: { explicitBucketBoundaries: durationBoundaries },
  })
  const active = gatewayMeter().createUpDownCounter('http.server.active_requests', {
    description: 'Number of active HTTP server requests',
    unit: '{request}',
  })
  /** Made once each. */
  const known = new Map<string, Attributes>()
  function attributesOf(method: string, route: string, outcome: number | string): Attributes {
    const key = `${method} ${route} ${outcome}`
    let made = known.get(key)
    if (made === undefined) {
      made = {
        'http.request.method': method,
        'url.scheme': 'http',
        ...(route !== '' && { 'http.route': route }),
        ...(typeof outcome === 'number' && { 'http.response.status_code': outcome }),
        ...(outcome === gone || Number(outcome) >= 500 ? { 'error.type': String(outcome) } : {}),
      }
      known.set(key, made)
    }
    return made
  }
  /** Those that there are, by method and path: to find one takes longer than the rest. */
  const routes = new Set<string>()
  /** The path, of a route; empty for anything else. */
  function routeOf(method: string, url: string): string {
    const query = url.indexOf('?')
    const path = query < 0 ? url : url.slice(0, query)
    const key = method + path
    if (routes.has(key)) return path
    if (!methods.has(method) || !isRoute({ method, url: path })) return ''
    routes.add(key)
    return path
  }

  return ({ method: sent = '', url = '' }, response) => {
    const begun = performance.now()
    const method = methods.has(sent) ? sent : '_OTHER'
    const running = attributesOf(method, '', 'running')
    active.add(1, running)
    response.once('close', () => {
      active.add(-1, running)
      const outcome = response.headersSent ? response.statusCode : gone
      duration.record((performance.now() - begun) / 1000, attributesOf(method, routeOf(sent, url), outcome))
    })
  }
}

/** The client did not wait for its answer. */
const gone = 'client_gone'
