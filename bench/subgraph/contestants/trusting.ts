import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buildSubgraphSchema } from '@apollo/subgraph'
import { ApolloServer, HeaderMap } from '@apollo/server'
import { parse } from 'graphql'
import { ready } from '../../gateway/contest.ts'
import { resolvers, typeDefs } from '../thing.ts'

// The same schema and resolvers without any of it: no token, no scopes, no owners. Whoever can reach it is believed.
const plain = typeDefs
  .replace(/^  @(link\(url: "https:\/\/behalf|identity).*$/gm, '')
  .replaceAll(/ @owner\(field: "\w+"\)/g, '')
const schema = buildSubgraphSchema([{ typeDefs: parse(plain), resolvers: resolvers as never }])
const apollo = new ApolloServer({ schema, csrfPrevention: false, introspection: true, nodeEnv: 'production' })
await apollo.start()

const server = createServer((request, response) => {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', async () => {
    const { body, headers } = await apollo.executeHTTPGraphQLRequest({
      httpGraphQLRequest: {
        method: 'POST',
        headers: new HeaderMap([['content-type', 'application/json']]),
        search: '',
        body: JSON.parse(Buffer.concat(chunks).toString()),
      },
      context: async () => ({}),
    })
    const text = body.kind === 'complete' ? body.string : ''
    response.writeHead(200, { ...Object.fromEntries(headers), 'content-length': Buffer.byteLength(text) }).end(text)
  })
})
server.keepAliveTimeout = 60_000
server.listen(0, '127.0.0.1', () => ready(`http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`))
