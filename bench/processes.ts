import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

/** Options of Node with which a gateway is deployed. */
export const youngGeneration = '--max-semi-space-size=32'

/** A process under test on the first core; what asks, and whatever it asks in its turn, are on the second. */
export async function startOnFirstCore(
  script: string,
  env: Readonly<Record<string, string>>,
  profiled = false,
): Promise<{ readonly url: string; readonly child: ChildProcess }> {
  const profile = profiled ? ['--cpu-prof', '--cpu-prof-dir=/tmp/behalf-profile'] : []
  const child = spawn('taskset', ['-c', '0', process.execPath, '--conditions=@behalf/source', ...profile, script], {
    env: { ...process.env, NODE_ENV: 'production', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const url = await new Promise<string>((resolve, reject) => {
    let text = ''
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString()
      const [, found] = /READY (\S+)/.exec(text) ?? []
      if (found !== undefined) resolve(found)
    })
    child.once('exit', (code) => reject(new Error(`${script} ended with ${code}: ${text.slice(-500)}`)))
  })
  return { url, child }
}

/** Whether a profile of it is asked for: `PROFILE` names those, with commas. */
export const isProfiled = (contestant: string) => (process.env['PROFILE'] ?? '').split(',').includes(contestant)

/** Seconds of CPU time of a process and the processes that it started (Linux, `scheduler/sched-stats`): nanoseconds each. */
export function cpuOf(pid: number | undefined): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean)
  const threads = readdirSync(`/proc/${pid}/task`).map((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8'),
  )
  const own = threads.reduce((sum, line) => sum + Number(line.split(' ')[0]) / 1e9, 0)
  return children.reduce((sum, child) => sum + cpuOf(Number(child)), own)
}
