import { runProcess } from '@behalf/process'
import { readConfig } from './config.ts'

await runProcess({
  name: 'orchestrator',
  readConfig,
  telemetryTo: ({ otlpEndpoint }) => otlpEndpoint,
  start: async (config) => (await import('./subgraph.ts')).orchestrator(config).listen(config),
})
