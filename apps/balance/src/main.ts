import { runProcess } from '@behalf/process'
import { readConfig } from './config.ts'

await runProcess({
  name: 'balance',
  readConfig,
  telemetryTo: ({ otlpEndpoint }) => otlpEndpoint,
  start: async (config) => (await import('./subgraph.ts')).balance(config).listen(config),
})
