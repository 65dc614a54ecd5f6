import { writeFileSync } from 'node:fs'
import { spawn } from 'node:child_process'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { readContest, ready } from '../contest.ts'

// Hive Gateway by its own command, with JWT and HMAC as its documentation has them.
const { supergraph, issuer, audience, secret } = readContest()
const isRust = process.env['PLANNER'] === 'rust'
const free = createServer().listen(0, '127.0.0.1')
await new Promise((resolve) => free.once('listening', resolve))
const { port } = free.address() as AddressInfo
await new Promise((resolve) => free.close(resolve))

const config = join(import.meta.dirname, '..', '..', `gateway.config.${port}.mjs`)
writeFileSync(
  config,
  `import { createRemoteJwksSigningKeyProvider, defineConfig, extractFromHeader } from '@graphql-hive/gateway'
${isRust ? "import { unifiedGraphHandler } from '@graphql-hive/router-runtime'" : ''}
export const gatewayConfig = defineConfig({
  ${isRust ? 'unifiedGraphHandler,' : ''}
  supergraph: ${JSON.stringify(supergraph)},
  host: '127.0.0.1',
  port: ${port},
  fork: 1,
  logging: 'error',
  landingPage: false,
  graphiql: false,
  deduplicateRequest: false,
  jwt: {
    tokenLookupLocations: [extractFromHeader({ name: 'authorization', prefix: 'Bearer' })],
    signingKeyProviders: [createRemoteJwksSigningKeyProvider({ jwksUri: ${JSON.stringify(`${issuer}/jwks`)} })],
    tokenVerification: { issuer: ${JSON.stringify(issuer)}, audience: ${JSON.stringify(audience)}, algorithms: ['ES256'] },
    forward: { payload: true },
    reject: { missingToken: true, invalidToken: true },
  },
  hmacSignature: { secret: ${JSON.stringify(secret)} },
})
`,
)
const bin = join(import.meta.dirname, '..', '..', 'node_modules', '.bin', 'hive-gateway')
const child = spawn(bin, ['supergraph', '--config-path', config], { stdio: ['ignore', 'inherit', 'inherit'] })
process.on('SIGTERM', () => child.kill())
child.once('exit', (code) => process.exit(code ?? 0))
const isReady = async () => (await fetch(`http://127.0.0.1:${port}/healthcheck`).catch(() => null))?.ok === true
const until = Date.now() + 120_000
while (!(await isReady())) {
  if (Date.now() > until) throw new Error('Hive Gateway did not start.')
  await new Promise((resolve) => setTimeout(resolve, 200))
}
ready(`http://127.0.0.1:${port}/graphql`)
