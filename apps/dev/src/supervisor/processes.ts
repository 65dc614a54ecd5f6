import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { startProcess, startSpare, type ProcessPlan, type RunningProcess, type Spare } from './child-process.ts'

export interface Processes extends AsyncDisposable {
  begin(plan: ProcessPlan): RunningProcess
  /** As `begin`, of a subgraph, out of the spare process if there is one. */
  beginFromSpare(plan: ProcessPlan): RunningProcess
  /** Has something done beside the system, of which nobody waits for the end. */
  runAside(plan: ProcessPlan): void
  /** Sees that there is a spare process, which has loaded what the app in this folder depends on. */
  keepSpare(like: string): void
}

/**
 * Starts processes, whose logs are in `logs`: those of one name, one after the other in one file.
 *
 * @param started - is told the id of each
 */
export function createProcesses(options: {
  readonly logs: string
  readonly show: (line: string) => void
  readonly started: (pid: number) => void
}): Processes {
  const { logs, show, started } = options
  const logged = new Set<string>()
  let spare: Spare | null = null
  let aside: RunningProcess | null = null

  function begin(plan: ProcessPlan, from: Spare | null): RunningProcess {
    const logFile = join(logs, `${plan.name}.log`)
    // Of an earlier start.
    if (!logged.has(plan.name)) rmSync(logFile, { force: true })
    logged.add(plan.name)
    const running = startProcess(plan, { logFile, show, spare: from })
    if (from === null && running.pid !== undefined) started(running.pid)
    return running
  }

  return {
    begin: (plan) => begin(plan, null),
    beginFromSpare(plan) {
      const taken = spare?.child.connected === true ? spare : null
      spare = null
      return begin(plan, taken)
    },
    runAside(plan) {
      const before = aside
      aside = begin(plan, null)
      void before?.[Symbol.asyncDispose]()
    },
    keepSpare(like) {
      if (spare?.child.connected === true) return
      spare = startSpare(like)
      if (spare.child.pid !== undefined) started(spare.child.pid)
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([spare?.end(), aside?.[Symbol.asyncDispose]()])
    },
  }
}
