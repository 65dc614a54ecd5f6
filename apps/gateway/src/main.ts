import { runProcess } from '@behalf/process'
import { readConfig } from './config.ts'

await runProcess({
  name: 'gateway',
  readConfig,
  tracesTo: ({ otlpEndpoint }) => otlpEndpoint,
  start: async (config) => (await import('./start-gateway.ts')).startGateway(config),
})
