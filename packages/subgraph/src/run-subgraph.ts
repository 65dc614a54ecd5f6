import type { ListeningSubgraph, Subgraph } from './create-subgraph.ts'

export interface ProcessConfig {
  readonly port: number
  readonly host: string
}

export interface SubgraphProcess<Config extends ProcessConfig> {
  readonly name: string
  /** Throws one error that names every fault of the environment, and no value. */
  readonly readConfig: () => Config
  readonly create: (config: Config) => Subgraph
}

/**
 * The life of a subgraph's process: exit code 2 where its configuration is wrong, 1 where it cannot start, 0 after it was
 * told to end (SIGTERM, SIGINT, or the end of the process that started it) and has answered what was under way.
 */
export async function runSubgraph<Config extends ProcessConfig>(process_: SubgraphProcess<Config>): Promise<void> {
  const { name, readConfig, create } = process_
  const told = Promise.withResolvers<void>()
  // From the first moment on: a process that is told to end while it starts does not have to be told again.
  for (const event of ['SIGTERM', 'SIGINT', 'disconnect']) process.on(event, () => told.resolve())

  let config: Config
  try {
    config = readConfig()
  } catch (error) {
    process.stderr.write(`${name} cannot start with this configuration:\n${faultsOf(error)}\n`)
    process.exit(2)
  }

  let listening: ListeningSubgraph
  try {
    listening = await create(config).listen(config)
  } catch (error) {
    process.stderr.write(`${name} cannot start: ${error instanceof Error ? error.message : String(error)}\n`)
    process.exit(1)
  }

  void told.promise
    .then(() => listening.close())
    .then(
      () => process.exit(0),
      () => process.exit(1),
    )
}

/** One line per fault. Faults of a schema library (Standard Schema) come as `issues`, with the path of the variable. */
function faultsOf(error: unknown): string {
  const issues = typeof error === 'object' && error !== null && 'issues' in error ? error.issues : null
  if (!Array.isArray(issues)) return `  ${error instanceof Error ? error.message : String(error)}`
  return issues
    .map(({ path, message }: { path: PropertyKey[]; message: string }) => `  ${path.map(String).join('.')}: ${message}`)
    .join('\n')
}
