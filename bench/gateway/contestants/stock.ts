import { createHash, createHmac } from 'node:crypto'
import { ApolloGateway, RemoteGraphQLDataSource } from '@apollo/gateway'
import { ApolloServer } from '@apollo/server'
import { startStandaloneServer } from '@apollo/server/standalone'
import { readFileSync } from 'node:fs'
import { createRemoteJWKSet, jwtVerify, type JWTPayload } from 'jose'
import { LRUCache } from 'lru-cache'
import { readContest, ready } from '../contest.ts'

// Apollo's gateway as its documentation has it, with the same security: verified tokens are kept, and each request to a
// subgraph carries a token (HS256) of who calls and of the body's hash.
const { supergraph, issuer, audience, secret } = readContest()
process.env['APOLLO_TELEMETRY_DISABLED'] = 'true'
interface Context {
  readonly claims: JWTPayload
}
const key = Buffer.from(secret, 'base64url')
const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
const head = encode({ alg: 'HS256', typ: 'txntoken+jwt' })

class SigningDataSource extends RemoteGraphQLDataSource<Context> {
  override willSendRequest({
    request,
    context,
  }: {
    request: { http?: unknown; query?: string; variables?: unknown }
    context: unknown
  }) {
    const { claims } = context as Context
    // No claims: the gateway asks on its own behalf.
    if (claims === undefined) return
    const { query, variables } = request
    const hash = createHash('sha256').update(JSON.stringify({ query, variables })).digest('base64url')
    const now = Math.floor(Date.now() / 1000)
    const text = `${head}.${encode({ aud: 'behalf', sub: claims.sub, scope: claims['scope'], iat: now, exp: now + 30, hash })}`
    const token = `${text}.${createHmac('sha256', key).update(text).digest('base64url')}`
    ;(request.http as { headers: { set(name: string, value: string): void } }).headers.set('txn-token', token)
  }
}

const server = new ApolloServer<Context>({
  gateway: new ApolloGateway({
    supergraphSdl: readFileSync(supergraph, 'utf8'),
    buildService: ({ url }) => new SigningDataSource({ ...(url !== undefined && { url }) }),
  }) as never,
})
const keys = createRemoteJWKSet(new URL(`${issuer}/jwks`))
const known = new LRUCache<string, JWTPayload>({ max: 10_000 })
const { url } = await startStandaloneServer(server, {
  listen: { port: 0, host: '127.0.0.1' },
  async context({ req }) {
    const token = req.headers.authorization?.slice('Bearer '.length) ?? ''
    const hash = createHash('sha256').update(token).digest('base64url')
    let claims = known.get(hash)
    if (claims === undefined) {
      claims = (await jwtVerify(token, keys, { issuer, audience, typ: 'at+jwt', algorithms: ['ES256'] })).payload
      known.set(hash, claims)
    }
    if ((claims.exp ?? 0) * 1000 < Date.now()) throw new Error('expired')
    return { claims }
  },
})
ready(url)
