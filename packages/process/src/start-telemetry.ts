import { setTimeout } from 'node:timers/promises'

export interface Telemetry {
  /** Sends what was not sent yet. */
  close(): Promise<void>
}

/** Milliseconds for what is left; a collector that is away keeps no process. */
const closeWithin = 3000

/**
 * Sends the spans and metrics of this process to an OpenTelemetry collector. Without an endpoint nothing is loaded, and
 * what packages make of them costs next to nothing. Instruments that were made before this are not sent.
 *
 * @param name - `service.name`
 * @param endpoint - value of `OTEL_EXPORTER_OTLP_ENDPOINT`: a base URL, to which `/v1/traces` and `/v1/metrics` are added
 */
export async function startTelemetry(name: string, endpoint: string | null): Promise<Telemetry> {
  if (endpoint === null) return { close: async () => undefined }
  const { exportTelemetry } = await import('./export-telemetry.ts')
  const { close } = exportTelemetry(name, endpoint)
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
