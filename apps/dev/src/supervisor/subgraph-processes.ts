import type { App } from '@behalf/composition'
import type { ProcessPlan, RunningProcess } from './child-process.ts'
import { Failure } from './failure.ts'
import { freePort } from './ports.ts'
import { subgraphUrl, type PlannedProcess } from './system-plan.ts'

export interface SubgraphProcessesOptions {
  readonly apps: readonly App[]
  /** The port that an app has unless it is taken, by its own last process. */
  readonly portOf: (name: string) => number
  readonly plan: (app: App, port: number) => PlannedProcess
  readonly begin: (plan: ProcessPlan) => RunningProcess
  /** As `begin`, where it is to answer as soon as it can. */
  readonly beginBeside: (plan: ProcessPlan) => RunningProcess
  /** @throws Failure if it is not ready in time */
  readonly ready: (plan: PlannedProcess) => Promise<void>
  /** One that serves has ended by itself. */
  readonly failed: (failure: Failure) => void
}

/** Processes that were started beside those that serve, and answer. */
export interface Beside {
  /** Those that answer, by name: where. */
  readonly urls: ReadonlyMap<string, string>
  /** Those that did not come to answer, by name: why. They are gone. */
  readonly failures: ReadonlyMap<string, string>
  /** From now on they are those that serve. @returns those that did before, to be ended by whoever knows when. */
  promote(): readonly RunningProcess[]
  /** Ends them: those that served go on. */
  discard(): Promise<void>
}

/** The processes of the subgraphs: one of each that serves, and while it is replaced another one. */
export interface SubgraphProcesses extends AsyncDisposable {
  /** Of those that serve, by name. */
  urls(): ReadonlyMap<string, string>
  /** Starts the first one of an app; does not wait until it answers. */
  start(name: string): PlannedProcess
  startBeside(names: Iterable<string>): Promise<Beside>
}

interface Started {
  readonly plan: PlannedProcess
  readonly process: RunningProcess
  readonly url: string
}

export function createSubgraphProcesses(options: SubgraphProcessesOptions): SubgraphProcesses {
  const { apps, portOf, plan, ready, failed } = options
  const serving = new Map<string, Started>()

  function start(app: App, port: number, begin: SubgraphProcessesOptions['begin']): Started {
    const planned = plan(app, port)
    return { plan: planned, process: begin(planned), url: subgraphUrl(port) }
  }

  function serve(name: string, started: Started): void {
    serving.set(name, started)
    void started.process.ended.then(
      ({ stopped, story }) => stopped || serving.get(name) !== started || failed(new Failure(story)),
    )
  }

  async function answering(started: Started): Promise<string | null> {
    const gone = started.process.ended.then(({ story }) => Promise.reject(new Failure(story)))
    try {
      await Promise.race([ready(started.plan), gone])
      return null
    } catch (error) {
      await started.process[Symbol.asyncDispose]()
      if (error instanceof Failure) return error.message
      throw error
    }
  }

  return {
    urls: () => new Map(Array.from(serving, ([name, { url }]) => [name, url])),
    start(name) {
      const app = apps.find((each) => each.name === name)
      if (!app) throw new Error(`There is no app "${name}".`)
      const started = start(app, portOf(name), options.begin)
      serve(name, started)
      return started.plan
    },
    async startBeside(names) {
      const wanted = apps.filter(({ name }) => [...names].includes(name))
      const started = new Map<string, Started>()
      const failures = new Map<string, string>()
      await Promise.all(
        wanted.map(async (app) => {
          const one = start(app, await freePort(portOf(app.name)), options.beginBeside)
          const failure = await answering(one)
          if (failure === null) started.set(app.name, one)
          else failures.set(app.name, failure)
        }),
      )
      return {
        urls: new Map(Array.from(started, ([name, { url }]) => [name, url])),
        failures,
        promote() {
          const before = Array.from(started.keys(), (name) => serving.get(name)?.process ?? []).flat()
          for (const [name, one] of started) serve(name, one)
          return before
        },
        async discard() {
          await Promise.all(Array.from(started.values(), ({ process }) => process[Symbol.asyncDispose]()))
        },
      }
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(Array.from(serving.values(), ({ process }) => process[Symbol.asyncDispose]()))
    },
  }
}
