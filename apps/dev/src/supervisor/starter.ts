import { readFileSync } from 'node:fs'

const pause = 300

/**
 * Calls `gone` when the npm that started this process is no more. npm runs a script in a shell: a SIGTERM ends both
 * without a word to what runs in it, and a SIGKILL ends npm alone. (Ctrl-C reaches all of them by itself.)
 *
 * @param script as it stands in the shell's command line, by which the shell is known
 * @returns a function that ends the watch
 */
export function watchStarter(script: string, gone: () => void): () => void {
  const parent = process.ppid
  const npm = readProc(parent, 'cmdline').includes(script) ? parentOf(parent) : undefined
  const timer = setInterval(() => {
    if (process.ppid === parent && (npm === undefined || parentOf(parent) === npm)) return
    clearInterval(timer)
    gone()
  }, pause)
  timer.unref()
  return () => clearInterval(timer)
}

/** Undefined where the system does not tell without starting a program: only Linux does. */
function parentOf(pid: number): number | undefined {
  // The program's name is in brackets and may hold anything; state and parent follow it (proc(5)).
  const [, parent] = readProc(pid, 'stat')
    .replace(/^.*\) /s, '')
    .split(' ')
  return parent === undefined ? undefined : Number(parent)
}

function readProc(pid: number, file: 'cmdline' | 'stat'): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    return ''
  }
}
