import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

interface ProcessEntry {
  readonly pid: number
  readonly parent: number
  readonly command: string
}

/** Everything that `pid` started, and what that started, as it is now. */
export function descendantsOf(pid: number): ProcessEntry[] {
  const all = runningProcesses()
  const found: ProcessEntry[] = []
  for (let parents = [pid]; parents.length > 0;) {
    const children = all.filter((entry) => parents.includes(entry.parent))
    found.push(...children)
    parents = children.map((entry) => entry.pid)
  }
  return found
}

/** Those of `processes` that still run. */
export function stillRunning(processes: readonly ProcessEntry[]): ProcessEntry[] {
  const running = runningProcesses()
  return processes.filter(({ pid, command }) => running.some((entry) => entry.pid === pid && entry.command === command))
}

/** Without those that have ended and wait for their parent to notice. */
function runningProcesses(): ProcessEntry[] {
  return process.platform === 'linux' ? fromProc() : fromPs()
}

function fromProc(): ProcessEntry[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        // The program's name is in brackets and may hold anything; state and parent follow it (proc(5)).
        const [state, parent] = readFileSync(`/proc/${name}/stat`, 'utf8')
          .replace(/^.*\) /s, '')
          .split(' ')
        if (state === 'Z' || state === 'X') return []
        const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()
        return [{ pid: Number(name), parent: Number(parent), command }]
      } catch {
        return []
      }
    })
}

function fromPs(): ProcessEntry[] {
  return execFileSync('ps', ['-A', '-o', 'pid=,ppid=,stat=,command='], { encoding: 'utf8' })
    .split('\n')
    .flatMap((line) => {
      const [, pid, parent, state, command] = /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.*)$/.exec(line) ?? []
      return pid && !state?.startsWith('Z')
        ? [{ pid: Number(pid), parent: Number(parent), command: command ?? '' }]
        : []
    })
}
