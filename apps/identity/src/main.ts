import { runSubgraph } from '@behalf/subgraph'
import { readConfig } from './config.ts'
import { identity } from './subgraph.ts'

await runSubgraph({ name: 'identity', readConfig, create: identity })
