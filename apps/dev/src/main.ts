import { fileURLToPath } from 'node:url'
import { CompositionError, findApps } from '@behalf/composition'
import { ConfigurationError } from '@behalf/process'
import { readConfig } from './config.ts'
import { Failure } from './supervisor/failure.ts'
import { watchStarter } from './supervisor/starter.ts'
import { supervise } from './supervisor/supervise.ts'

const usage = `Usage: npm start

Starts everything on this machine, for development: PostgreSQL, the identity provider with demo users,
the subgraphs and the gateway. Ctrl-C stops all of it.

Environment
  GATEWAY_PORT, GATEWAY_INTERNAL_PORT, IDP_PORT, POSTGRES_PORT, <APP>_PORT   ports
  HOST               where the gateway listens (127.0.0.1)
  BEHALF_DATA_DIR    database, logs and graph (.behalf)
  DATABASE_URL       an administrator's PostgreSQL, instead of the embedded one
  OIDC_ISSUER        an OpenID provider, instead of the development one
  GRAPHQL_RESOURCE, MCP_RESOURCE       audiences of access tokens (the gateway's URLs)
  INTERACTIVE_CLIENTS                  OAuth clients with a person in front of them
  TENANT_CLAIM       claim of access tokens with the user's tenant
  ISSUERS            a file with several issuers, instead of OIDC_ISSUER, INTERACTIVE_CLIENTS and TENANT_CLAIM
  AUTHORIZATION_MODE, INTROSPECTION, APPROVALS_URL, TRUSTED_DOCUMENTS*, LIMIT_*, BATCH_MAX, TRUSTED_PROXIES   of the gateway, as docs/reference/config.md has them
  MODEL_BASE_URL, MODEL_API_KEY, MODEL_NAME   an OpenAI-compatible server; without one, keyword routing
  BEHALF_ROOT_KEY    32 random bytes in base64url (new at every start)
  SUBGRAPHS          name=url,...: where the gateway reaches a subgraph, if not where it was started
  GATEWAY_INTERNAL_URL                 where the orchestrator reaches the gateway, if not where it was started
  IDP_LISTEN_PORT    where the development provider listens, if something in between listens on IDP_PORT
  IDP_CLIENT_DOCUMENTS                 https URLs of client id metadata documents that the development provider reads
  LOG_LEVEL          of the log files (debug)
  OTEL_EXPORTER_OTLP_ENDPOINT   an OpenTelemetry collector, such as http://127.0.0.1:4318
`

const root = fileURLToPath(new URL('../../..', import.meta.url))
const [argument] = process.argv.slice(2)

if (argument === '--help' || argument === '-h') {
  process.stdout.write(usage)
} else if (argument !== undefined) {
  process.stderr.write(`There is no argument "${argument}".\n\n${usage}`)
  process.exitCode = 2
} else {
  process.exitCode = await run()
}

async function run(): Promise<number> {
  const stop = new AbortController()
  let asked = Infinity
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      // Asked again, this ends at once, and the processes with it: they end when their supervisor is gone. One
      // Ctrl-C arrives twice, though: from the terminal and from npm.
      if (performance.now() - asked > 1000) process.exit(1)
      asked = Math.min(asked, performance.now())
      stop.abort()
    })
  }
  // Nobody reads on, as in `npm start | head`.
  process.stdout.on('error', () => stop.abort())
  try {
    const apps = findApps(root)
    const config = readConfig(apps)
    if (config.startedByNpm) watchStarter('apps/dev/src/main.ts', () => stop.abort())
    await supervise({ config, root, apps, signal: stop.signal, show: (line) => process.stdout.write(`${line}\n`) })
    return 0
  } catch (error) {
    if (stop.signal.aborted && error === stop.signal.reason) return 0
    return explain(error)
  }
}

function explain(error: unknown): number {
  if (error instanceof ConfigurationError) {
    process.stderr.write(`The environment is not usable:\n${error.faults.map((fault) => `  ${fault}\n`).join('')}`)
    return 2
  }
  if (error instanceof CompositionError) {
    const problems = error.problems.map(
      ({ file, line, code, message, advice }) => `${file}:${line}  ${code} ${message}\n    ${advice}\n`,
    )
    process.stderr.write(`${error.message}\n${problems.join('')}`)
    return 1
  }
  // Only what nobody foresaw is shown with a stack.
  const foreseen = error instanceof Failure || !(error instanceof Error)
  process.stderr.write(`\n${foreseen ? String(error instanceof Failure ? error.message : error) : error.stack}\n`)
  return 1
}
