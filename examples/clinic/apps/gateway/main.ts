import { readGatewayConfig } from '@behalf/gateway/config'
import { runProcess } from '@behalf/process'

await runProcess({
  name: 'gateway',
  readConfig: () => readGatewayConfig(process.env),
  telemetryTo: ({ otlpEndpoint }) => otlpEndpoint,
  start: async (config) => (await import('./gateway.ts')).startGateway(config),
})
