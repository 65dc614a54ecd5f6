import { describeCauses } from './describe-causes.ts'
import { ConfigurationError } from './read-environment.ts'
import { exitFlushed } from './standard-output.ts'
import { startTelemetry } from './start-telemetry.ts'

export interface ProcessLife<Config> {
  /** Begins every message. */
  readonly name: string
  /** Throws one error that names every fault of the environment, and no value: see {@link ConfigurationError}. */
  readonly readConfig: () => Config | Promise<Config>
  /** Where the process's spans and metrics go: the value of `OTEL_EXPORTER_OTLP_ENDPOINT`. Default: nowhere. */
  readonly telemetryTo?: (config: Config) => string | null
  /** Resolves once requests are answered. What is imported in here is loaded only if the configuration is right. */
  readonly start: (config: Config) => Promise<{
    /** Ends in order: what is under way is answered first. */
    close(): Promise<void>
  }>
}

/** Milliseconds from being told to end to the end. */
const endWithin = 10_000

/**
 * The life of a process. Its exit code is
 *
 * - 2 where the configuration is wrong: standard error has all faults, one line each, without values;
 * - 1 where it cannot start: standard error has why, down to the first cause, without stacks;
 * - 0 after it was told to end (SIGTERM, SIGINT, or the end of the process that started it with an IPC channel) and
 *   closed in order, or at once if it had not started yet; 1 where that fails or takes longer than ten seconds, of which
 *   standard error has a line. Whoever does not read what it prints keeps it from nothing.
 */
export async function runProcess<Config>(life: ProcessLife<Config>): Promise<void> {
  const { name, readConfig, telemetryTo, start } = life
  const told = Promise.withResolvers<void>()
  // From the first moment on: a process that is told to end while it starts does not have to be told again.
  for (const event of ['SIGTERM', 'SIGINT', 'disconnect']) process.on(event, () => told.resolve())
  // It was started with a channel, which was closed before anything could listen for that.
  if ('connected' in process && !process.connected) told.resolve()
  let isStarting = true
  async function endInTime(): Promise<void> {
    await told.promise
    // Nobody waits for an answer yet, and it may be waiting for what is gone, too.
    if (isStarting) process.exit(0)
    setTimeout(() => void end(1, `${name} did not end within ${endWithin / 1000} seconds`, []), endWithin)
  }
  void endInTime()

  const config = await orEnd(2, `${name} cannot start with this configuration`, readConfig)
  const telemetry = await orEnd(1, `${name} cannot start`, () => startTelemetry(name, telemetryTo?.(config) ?? null))
  const started = await orEnd(1, `${name} cannot start`, () => start(config))
  isStarting = false
  await told.promise
  await orEnd(1, `${name} did not end in order`, () => started.close())
  await telemetry.close()
  await exitFlushed(0)
}

async function orEnd<T>(code: number, what: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    return await end(code, what, error instanceof ConfigurationError ? error.faults : describeCauses(error))
  }
}

function end(code: number, what: string, lines: readonly string[]): Promise<never> {
  process.stderr.write(lines.length === 0 ? `${what}\n` : `${what}:\n${lines.map((line) => `  ${line}\n`).join('')}`)
  return exitFlushed(code)
}
