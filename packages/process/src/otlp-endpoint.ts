import { z } from 'zod'

/** Schema of `OTEL_EXPORTER_OTLP_ENDPOINT`; null if it is not set. */
export const otlpEndpoint = z
  .url({ protocol: /^https?$/, error: 'not an http or https URL' })
  .nullable()
  .default(null)
