import type { Attributes } from '@opentelemetry/api'
import type { FastifyInstance } from 'fastify'
import { durationBoundaries, gatewayMeter, isMeasured } from './meter.ts'

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
 * Measures the requests of a port, whatever becomes of them: add it before what refuses any. Of a request it tells
 * nothing that a client could choose.
 */
export function measureRequests(app: FastifyInstance): void {
  if (!isMeasured()) return
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
  function attributes(method: string, scheme: string, route: string | undefined, outcome: number | string): Attributes {
    const key = `${method} ${scheme} ${route ?? ''} ${outcome}`
    let made = known.get(key)
    if (made === undefined) {
      made = {
        'http.request.method': method,
        'url.scheme': scheme,
        ...(route !== undefined && { 'http.route': route }),
        ...(typeof outcome === 'number' && { 'http.response.status_code': outcome }),
        ...(outcome === gone || Number(outcome) >= 500 ? { 'error.type': String(outcome) } : {}),
      }
      known.set(key, made)
    }
    return made
  }

  app.addHook('onRequest', (request, { raw }, done) => {
    const begun = performance.now()
    const method = methods.has(request.method) ? request.method : '_OTHER'
    const scheme = request.protocol === 'https' ? 'https' : 'http'
    const running = attributes(method, scheme, undefined, 'running')
    active.add(1, running)
    raw.once('close', () => {
      active.add(-1, running)
      const outcome = raw.headersSent ? raw.statusCode : gone
      const { url } = request.routeOptions
      duration.record((performance.now() - begun) / 1000, attributes(method, scheme, url, outcome))
    })
    done()
  })
}

/** The client did not wait for its answer. */
const gone = 'client_gone'
