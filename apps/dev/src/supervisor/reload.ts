import { globSync } from 'node:fs'
import { CompositionError, compose, withUrls, type Problem } from '@behalf/composition'
import type { Graph } from '@behalf/identity'
import type { AppFile } from './app-files.ts'
import type { RunningProcess } from './child-process.ts'
import type { Databases } from './database.ts'
import { Failure } from './failure.ts'
import type { ServedGraph } from './served-graph.ts'
import type { Beside, SubgraphProcesses } from './subgraph-processes.ts'

/** Milliseconds that what began with the old ones may take, streams included. */
const patience = 10_000

export interface ReloadOptions {
  readonly root: string
  /** What is served now. */
  readonly graph: Graph
  readonly served: ServedGraph
  readonly subgraphs: SubgraphProcesses
  readonly databases: Pick<Databases, 'migrate'>
  /** Apps that the gateway reaches where this process cannot move them. */
  readonly fixed: ReadonlySet<string>
  readonly show: (line: string) => void
  /** There is nothing to do for now, after what has taken effect. */
  readonly done: (files: readonly AppFile[]) => void
  /** Something that cannot go on. */
  readonly failed: (error: unknown) => void
}

export interface Reload extends AsyncDisposable {
  /** Has what these files say take effect, after what was told before. */
  changed(files: readonly AppFile[]): void
}

/**
 * Replaces what runs by what the files say, without dropping a request: first the tables, then new processes beside the
 * old ones, then the graph, which says where they are; the old ones end when nobody is served by the graph before any
 * more. Whatever of that fails leaves what ran before, and is tried again with the next change.
 */
export function createReload(options: ReloadOptions): Reload {
  const { root, served, subgraphs, databases, fixed, show } = options
  let { graph } = options
  const migrated = new Set(globSync('apps/*/migrations/*.sql', { cwd: root }).map((path) => path.replaceAll('\\', '/')))
  const waiting = new Map<string, AppFile>()
  const leaving = new Set<Promise<void>>()
  let problems: readonly Problem[] = []
  const over = new AbortController()
  let work: Promise<void> | null = null

  /** What did not take effect: it is tried again together with the next change. */
  const held = new Map<string, AppFile>()

  async function run(): Promise<readonly AppFile[]> {
    const effective: AppFile[] = []
    while (waiting.size > 0 && !over.signal.aborted) {
      const files = [...waiting.values()]
      waiting.clear()
      const begun = performance.now()
      const left = new Set(await apply(files))
      for (const file of left) held.set(file.path, file)
      const done = files.filter((file) => !left.has(file))
      effective.push(...done)
      if (done.length > 0) show(`${describe(done)}: in effect (${((performance.now() - begun) / 1000).toFixed(1)} s)`)
    }
    return effective
  }

  function begin(): void {
    work ??= run()
      .then(
        (files) => void (over.signal.aborted || options.done(files)),
        (error: unknown) => void (over.signal.aborted || options.failed(error)),
      )
      .finally(() => {
        work = null
        // Told of between the last look and this.
        if (waiting.size > 0 && !over.signal.aborted) begin()
      })
  }

  /** @returns the files that could not take effect */
  async function apply(files: readonly AppFile[]): Promise<readonly AppFile[]> {
    const stays = new Set<string>()
    for (const name of appsWith(files, 'migrations')) {
      const problem = await migrate(name, files)
      if (problem !== null) stays.add(name)
      if (problem !== null) show(problem)
    }
    const code = appsWith(files, 'code', 'schema', 'migrations')
    for (const name of code.intersection(fixed)) {
      show(`${name}: the gateway reaches it by SUBGRAPHS. Stop and start again for what changed.`)
      stays.add(name)
    }
    const schemas = appsWith(files, 'schema')
    const isOfGraph = ({ part }: AppFile) => part === 'schema' || part === 'tools' || part === 'manifest'
    const next = files.some(isOfGraph) ? await composed() : null
    const isRefused = next === null && files.some(isOfGraph)
    // A process has the schema of the graph that is served.
    if (isRefused) for (const name of schemas) stays.add(name)

    const beside = await subgraphs.startBeside(code.difference(stays))
    for (const [name, why] of beside.failures) {
      show(`${name} goes on as it was, and what changed does not start: ${why}`)
      stays.add(name)
    }
    const isWhole = next === null || schemas.isDisjointFrom(stays)
    if (!isWhole || !(await serve(next ?? graph, beside))) {
      await beside.discard()
      // What the gateway knows of a graph before it may be mended.
      if (!isWhole) await served.serve(graph)
      return files
    }
    if (isRefused) await served.tell(problems)
    return files.filter((file) => stays.has(file.app) || (isRefused && isOfGraph(file)))
  }

  /** Composes what the files say; null where it does not, of which the gateway and the terminal say why. */
  async function composed(): Promise<Graph | null> {
    try {
      const { graph: next } = await compose({ root })
      const others = new Set(Object.keys(next.subgraphs)).symmetricDifference(new Set(Object.keys(graph.subgraphs)))
      if (others.size === 0) return next
      problems = [
        {
          code: 'APPS_CHANGED',
          file: 'apps',
          line: 1,
          message: `${[...others].join(', ')}: not what was started.`,
          advice: restart,
        },
      ]
    } catch (error) {
      if (!(error instanceof CompositionError)) throw error
      problems = error.problems
    }
    for (const { file, line, code, message, advice } of problems)
      show(`${file}:${line}  ${code} ${message}\n    ${advice}`)
    show('The graph before it serves on.')
    await served.tell(problems)
    return null
  }

  /** @returns whether it is what is served now, by those processes */
  async function serve(base: Graph, beside: Beside): Promise<boolean> {
    const next = withUrls(base, new Map([...subgraphs.urls(), ...beside.urls]))
    const refusal = await served.serve(next)
    if (refusal !== null) {
      show(`The gateway refuses the new graph, and the one before it serves on: ${refusal}`)
      return false
    }
    graph = next
    for (const old of beside.promote()) leave(old)
    return true
  }

  /** Ends a process once nobody is served by it, and after a while in any case. */
  function leave(old: RunningProcess): void {
    const gone = (async () => {
      await served.untilAlone(patience).catch(() => undefined)
      await old[Symbol.asyncDispose]()
    })()
    leaving.add(gone)
    void gone.finally(() => leaving.delete(gone))
  }

  /** @returns what is wrong */
  async function migrate(name: string, files: readonly AppFile[]): Promise<string | null> {
    const own = files.filter((file) => file.app === name && file.part === 'migrations')
    for (const { path } of own.filter((file) => migrated.has(file.path)))
      show(
        `${path} was run before: what changed in it has no effect. Write another file, or start with an empty database.`,
      )
    try {
      await databases.migrate(name)
      for (const { path } of own) migrated.add(path)
      return null
    } catch (error) {
      if (error instanceof Failure) return error.message
      throw error
    }
  }

  return {
    changed(files) {
      for (const file of [...held.values(), ...files]) waiting.set(file.path, file)
      held.clear()
      begin()
    },
    async [Symbol.asyncDispose]() {
      over.abort()
      await work
      await Promise.all(leaving)
    },
  }
}

const restart = 'Stop and start again: npm start'

const appsWith = (files: readonly AppFile[], ...parts: readonly AppFile['part'][]): ReadonlySet<string> =>
  new Set(files.filter(({ part }) => parts.includes(part)).map(({ app }) => app))

function describe(files: readonly AppFile[]): string {
  const shown = files.slice(0, 3).map(({ path }) => path)
  return [...shown, ...(files.length > 3 ? [`${files.length - 3} more`] : [])].join(', ')
}
