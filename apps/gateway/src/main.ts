import { createAuthority } from '@behalf/authority'
import { createGateway } from '@behalf/gateway'
import { createRegistry } from '@behalf/tools'
import pino from 'pino'
import { ZodError } from 'zod'
import { type Config, readConfig } from './config.ts'

const config = configOrExit()
const log = pino({ name: 'gateway', level: config.logLevel })
const authority = createAuthority(config.databaseUrl)
const gateway = await createGateway({
  graph: config.graph,
  subgraphs: config.subgraphs,
  rootKey: config.rootKey,
  epoch: config.epoch,
  trustDomain: config.trustDomain,
  issuers: [config.issuer],
  introspection: config.introspection,
  authority,
  registry: createRegistry,
  log,
})
await gateway.listen(config.listen)

for (const signal of ['SIGTERM', 'SIGINT', 'disconnect'] as const) process.once(signal, () => void stop(signal))

/** Running requests end first; what does not end in ten seconds is cut off. */
async function stop(reason: string) {
  log.info({ reason }, 'stopping')
  setTimeout(() => process.exit(1), 10_000).unref()
  await gateway.close()
  await authority.close()
  process.exit(0)
}

function configOrExit(): Config {
  try {
    return readConfig(process.env)
  } catch (error) {
    if (!(error instanceof ZodError)) throw error
    for (const { path, message } of error.issues) console.error(`gateway: ${path.join('.')}: ${message}`)
    process.exit(2)
  }
}
