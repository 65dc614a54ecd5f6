import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { readLogLine, worthShowing } from './log-line.ts'
import type { Role } from './spare-process.ts'

const exitWithParent = fileURLToPath(new URL('exit-with-parent.ts', import.meta.url))
const spareProcess = fileURLToPath(new URL('spare-process.ts', import.meta.url))
/** Of what was compiled at the last start: a third of the time that a start takes. */
const compileCache = fileURLToPath(new URL('../../../../node_modules/.cache/node', import.meta.url))
const keptLines = 30

export interface ProcessPlan {
  /** Also of its log file. */
  readonly name: string
  /** Absolute path of the script. */
  readonly script: string
  readonly args?: readonly string[]
  /** Options of Node's own. */
  readonly nodeArgs?: readonly string[]
  /** All that it gets, beside a folder for Node's compile cache. */
  readonly env: Readonly<Record<string, string>>
}

export interface RunningProcess extends AsyncDisposable {
  readonly name: string
  /** Undefined where it could not be started. */
  readonly pid: number | undefined
  readonly ended: Promise<ProcessEnd>
}

export interface ProcessEnd {
  /** Whether it was told to. */
  readonly stopped: boolean
  readonly succeeded: boolean
  /** Says how it ended and what it printed last. */
  readonly story: string
}

/** A process that was started before it is known what it is for. */
export interface Spare {
  readonly child: ChildProcess
  /** Ends it, unless it was given a role. */
  end(): Promise<void>
}

/**
 * Starts a process that loads what an app depends on and then waits: what it becomes answers in a fraction of the time.
 *
 * @param like - directory of an app
 */
export function startSpare(like: string): Spare {
  const child = spawnNode([spareProcess, like], {})
  return {
    child,
    async end() {
      child.kill('SIGKILL')
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    },
  }
}

/** In a process group of its own: a terminal's Ctrl-C is for the supervisor. */
const spawnNode = (script: readonly string[], env: Readonly<Record<string, string>>) =>
  spawn(process.execPath, ['--conditions=@behalf/source', `--import=${exitWithParent}`, ...script], {
    env: { NODE_COMPILE_CACHE: compileCache, ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    detached: process.platform !== 'win32',
    windowsHide: true,
  })

/**
 * Starts one of the system's processes, in a process group of its own: a terminal's Ctrl-C is for the supervisor,
 * which stops them in order. What it prints goes to its log file; warnings and errors are shown.
 *
 * @param stopWithin milliseconds it has to end after SIGTERM, before it is killed
 * @param spare becomes the process, where one is at hand
 */
export function startProcess(
  plan: ProcessPlan,
  {
    logFile,
    show,
    stopWithin = 12_000,
    spare = null,
  }: {
    logFile: string
    show: (line: string) => void
    stopWithin?: number
    spare?: Spare | null
  },
): RunningProcess {
  const child = spare?.child ?? spawnNode([...(plan.nodeArgs ?? []), plan.script, ...(plan.args ?? [])], plan.env)
  spare?.child.send({ script: plan.script, env: plan.env } satisfies Role)
  const lastLines = record(child, logFile, (text) => {
    const line = readLogLine(text)
    if (worthShowing(line)) show(`${plan.name}: ${line.message}`)
  })

  let stopping = false
  const closed = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>
  const ended = closed.then(([code, signal]): ProcessEnd => {
    const how = signal === null ? `exit code ${code}` : signal
    const lines = lastLines()
      .map((line) => `  ${line}`)
      .join('\n')
    return {
      stopped: stopping,
      succeeded: code === 0,
      story: `${plan.name} ended (${how}). Its last lines, from ${logFile}:\n${lines || '  (nothing)'}`,
    }
  })

  return {
    name: plan.name,
    pid: child.pid,
    ended,
    async [Symbol.asyncDispose]() {
      stopping = true
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
      const timer = setTimeout(() => {
        show(`${plan.name}: did not stop within ${stopWithin / 1000} s and was killed`)
        child.kill('SIGKILL')
      }, stopWithin)
      await closed
      clearTimeout(timer)
    },
  }
}

/** Writes what the child prints to `logFile`; gives a function for the last lines of it. */
function record(child: ChildProcess, logFile: string, onLine: (text: string) => void): () => string[] {
  const file = createWriteStream(logFile, { mode: 0o600, flags: 'a' })
  const last: string[] = []
  for (const stream of [child.stdout, child.stderr]) {
    if (!stream) continue
    createInterface({ input: stream, crlfDelay: Infinity }).on('line', (text) => {
      file.write(`${text}\n`)
      last.push(readLogLine(text).message)
      if (last.length > keptLines) last.shift()
      onLine(text)
    })
  }
  child.once('close', () => file.end())
  return () => last
}
