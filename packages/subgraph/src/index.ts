// This file is the complete public surface of @behalf/subgraph.
export {
  pageSize,
  readConnection,
  type Connection,
  type ConnectionArguments,
  type Page,
  type Position,
} from './connection.ts'
export { createSubgraph, type ListeningSubgraph, type Subgraph, type SubgraphOptions } from './create-subgraph.ts'
export { defineLoader } from './define-loader.ts'
export type { Limits } from './limits.ts'
export type { SubgraphContext } from './request-context.ts'
export type { Resolvers } from './resolvers.ts'
export { manyByKey, oneByKey } from './rows-by-key.ts'
export { scalars } from './scalars.ts'
export type { SubscribeContext } from './subscribe-context.ts'
