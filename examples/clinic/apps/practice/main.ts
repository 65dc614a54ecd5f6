import { runProcess } from '@behalf/process'
import { readSubgraphConfig } from '@behalf/subgraph/config'

await runProcess({
  name: 'practice',
  readConfig: () => readSubgraphConfig({ name: 'practice', port: 4101 }, process.env),
  telemetryTo: ({ otlpEndpoint }) => otlpEndpoint,
  start: async (config) => (await import('./subgraph.ts')).practice(config).listen(config),
})
