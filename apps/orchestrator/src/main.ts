import { runSubgraph } from '@behalf/subgraph'
import { readConfig } from './config.ts'
import { orchestrator } from './subgraph.ts'

await runSubgraph({ name: 'orchestrator', readConfig, create: orchestrator })
