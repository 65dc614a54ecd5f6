import { createSubgraph } from '@behalf/subgraph'
import { ready } from '../../gateway/contest.ts'
import { name, resolvers, typeDefs } from '../thing.ts'

const subgraph = createSubgraph({ name, typeDefs, resolvers, contextKeys: process.env['KEYS'] ?? '', logLevel: 'warn' })
const { url } = await subgraph.listen({ port: 0 })
ready(url)
