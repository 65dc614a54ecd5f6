import { ZodError } from 'zod'
import { readConfig } from './config.ts'
import { startGateway } from './start-gateway.ts'

// From the first moment on: a process that is told to end while it starts does not have to be told again.
const told = Promise.withResolvers<void>()
for (const event of ['SIGTERM', 'SIGINT', 'disconnect']) process.on(event, () => told.resolve())

const config = await orExit(2, 'cannot start with this configuration', async () => readConfig())
const gateway = await orExit(1, 'cannot start', () => startGateway(config))

await told.promise
// Running requests end first; what does not end in ten seconds is cut off.
setTimeout(() => process.exit(1), 10_000).unref()
await gateway.close().then(
  () => process.exit(0),
  () => process.exit(1),
)

async function orExit<T>(code: number, what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    process.stderr.write(
      `gateway ${what}:\n${faultsOf(error)
        .map((fault) => `  ${fault}\n`)
        .join('')}`,
    )
    return process.exit(code)
  }
}

/** One line per fault: of each variable, or of the error and the one it began with. */
function faultsOf(error: unknown): string[] {
  if (error instanceof ZodError) return error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)
  let root = error
  while (root instanceof Error && root.cause !== undefined) root = root.cause
  return [...new Set([messageOf(error), messageOf(root)])]
}

/** Of an error, or its code: a connection that failed on several addresses has no message. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.message !== '' || !('code' in error) ? error.message : String(error.code)
}
