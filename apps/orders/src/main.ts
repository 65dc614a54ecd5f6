import { runProcess } from '@behalf/process'
import { readConfig } from './config.ts'

await runProcess({
  name: 'orders',
  readConfig,
  telemetryTo: ({ otlpEndpoint }) => otlpEndpoint,
  start: async (config) => (await import('./subgraph.ts')).orders(config).listen(config),
})
