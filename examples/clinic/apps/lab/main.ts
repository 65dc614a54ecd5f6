import { runProcess } from '@behalf/process'
import { readSubgraphConfig } from '@behalf/subgraph/config'

await runProcess({
  name: 'lab',
  readConfig: () => readSubgraphConfig({ name: 'lab', port: 4102 }, process.env),
  telemetryTo: ({ otlpEndpoint }) => otlpEndpoint,
  start: async (config) => (await import('./subgraph.ts')).lab(config).listen(config),
})
