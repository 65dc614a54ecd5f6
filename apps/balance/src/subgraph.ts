import { readFileSync } from 'node:fs'
import { postgres } from '@behalf/postgres'
import { createSubgraph } from '@behalf/subgraph'
import type { Config } from './config.ts'
import type { Database } from './database.ts'
import { policies } from './policies.ts'
import { resolvers } from './resolvers.ts'

const typeDefs = readFileSync(new URL('./schema.graphql', import.meta.url), 'utf8')

export const balance = (config: Config) =>
  createSubgraph<Database>({
    name: 'balance',
    typeDefs,
    resolvers,
    policies,
    contextKeys: config.contextKeys,
    trustDomain: config.trustDomain,
    db: postgres<Database>({ url: config.databaseUrl, isolation: 'serializable' }),
    logLevel: config.logLevel,
  })
