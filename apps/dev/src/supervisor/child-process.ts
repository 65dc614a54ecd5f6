import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { readLogLine, worthShowing } from './log-line.ts'

const exitWithParent = fileURLToPath(new URL('exit-with-parent.ts', import.meta.url))
/** Of what was compiled at the last start: a third of the time that a start takes. */
const compileCache = fileURLToPath(new URL('../../../../node_modules/.cache/node', import.meta.url))
const keptLines = 30

export interface ProcessPlan {
  /** Also of its log file. */
  readonly name: string
  /** Absolute path of the script. */
  readonly script: string
  readonly args?: readonly string[]
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

/**
 * Starts one of the system's processes, in a process group of its own: a terminal's Ctrl-C is for the supervisor,
 * which stops them in order. What it prints goes to its log file; warnings and errors are shown.
 *
 * @param stopWithin milliseconds it has to end after SIGTERM, before it is killed
 */
export function startProcess(
  plan: ProcessPlan,
  {
    logFile,
    show,
    stopWithin = 12_000,
  }: {
    logFile: string
    show: (line: string) => void
    stopWithin?: number
  },
): RunningProcess {
  const args = ['--conditions=@behalf/source', `--import=${exitWithParent}`, plan.script, ...(plan.args ?? [])]
  const child = spawn(process.execPath, args, {
    env: { NODE_COMPILE_CACHE: compileCache, ...plan.env },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    detached: process.platform !== 'win32',
    windowsHide: true,
  })
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
