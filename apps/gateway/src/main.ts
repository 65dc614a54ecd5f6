import { runProcess } from '@behalf/process'
import { readConfig } from './config.ts'

await runProcess({
  name: 'gateway',
  readConfig,
  telemetryTo: ({ otlpEndpoint }) => otlpEndpoint,
  start: async (config) => (await import('./start-gateway.ts')).startGateway(config),
})
