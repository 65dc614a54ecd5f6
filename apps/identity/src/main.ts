import { runProcess } from '@behalf/process'
import { readConfig } from './config.ts'

await runProcess({
  name: 'identity',
  readConfig,
  telemetryTo: ({ otlpEndpoint }) => otlpEndpoint,
  start: async (config) => (await import('./subgraph.ts')).identity(config).listen(config),
})
