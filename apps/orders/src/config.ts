import { readSubgraphConfig, type Environment, type SubgraphConfig } from '@behalf/subgraph/config'

export type Config = SubgraphConfig

/** Reads the environment of this process. @throws an error that names every fault at once, and no value */
export const readConfig = (env: Environment = process.env): Config =>
  readSubgraphConfig({ name: 'orders', port: 4102 }, env)
