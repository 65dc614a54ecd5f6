import { runSubgraph } from '@behalf/subgraph'
import { readConfig } from './config.ts'
import { orders } from './subgraph.ts'

await runSubgraph({ name: 'orders', readConfig, create: orders })
