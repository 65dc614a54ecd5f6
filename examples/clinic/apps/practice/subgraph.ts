import { readFileSync } from 'node:fs'
import { postgres } from '@behalf/postgres'
import { createSubgraph } from '@behalf/subgraph'
import type { SubgraphConfig } from '@behalf/subgraph/config'
import type { Database } from './database.ts'
import { resolvers } from './resolvers.ts'

export const practice = ({ databaseUrl, contextKeys, trustDomain, logLevel }: SubgraphConfig) =>
  createSubgraph<Database>({
    name: 'practice',
    typeDefs: readFileSync(new URL('./schema.graphql', import.meta.url), 'utf8'),
    resolvers,
    contextKeys,
    trustDomain,
    db: postgres<Database>(databaseUrl),
    logLevel,
  })
