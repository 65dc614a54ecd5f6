import { runSubgraph } from '@behalf/subgraph'
import { readConfig } from './config.ts'
import { balance } from './subgraph.ts'

await runSubgraph({ name: 'balance', readConfig, create: balance })
