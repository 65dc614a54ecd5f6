import { setTimeout } from 'node:timers/promises'

export interface Telemetry {
  /** Sends what was not sent yet. */
  close(): Promise<void>
}

/** Milliseconds for the last spans; a collector that is away keeps no process. */
const closeWithin = 3000

/**
 * Sends the spans of this process to an OpenTelemetry collector. Without an endpoint nothing is loaded, and the spans
 * that packages make cost next to nothing.
 *
 * @param name - `service.name` of the spans
 * @param endpoint - value of `OTEL_EXPORTER_OTLP_ENDPOINT`: a base URL, to which `/v1/traces` is added
 */
export async function startTelemetry(name: string, endpoint: string | null): Promise<Telemetry> {
  if (endpoint === null) return { close: async () => undefined }
  const { exportTraces } = await import('./export-traces.ts')
  const { close } = exportTraces(name, endpoint)
  return {
    async close() {
      const late = new AbortController()
      const waiting = setTimeout(closeWithin, undefined, { signal: late.signal }).catch(() => undefined)
      // What cannot be sent is lost: there is nobody left to send it again.
      await Promise.race([close().catch(() => undefined), waiting])
      late.abort()
    },
  }
}
