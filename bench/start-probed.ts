import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { cpuOf } from './processes.ts'
import type { Asked, Held } from './probe.ts'

/** A process of ours as it is deployed, of which it can be asked what it costs. */
export interface Probed {
  readonly name: string
  readonly child: ChildProcess
  /** Milliseconds of CPU time until now, of all of its threads. */
  cpuMs(): number
  /** What it has said last. */
  printed(): string
  held(): Promise<Held>
  /** Milliseconds of its CPU time that `work` takes; with `PROFILE` set, what it does meanwhile is in /tmp/behalf-profile. */
  during(what: string, work: () => Promise<void>): Promise<number>
  stop(): Promise<void>
}

const profiles = '/tmp/behalf-profile'

/**
 * Starts one, on a core, and waits until `ready` says yes.
 *
 * @param ready - whether a line of its standard output says so, or a URL that answers 200 then
 */
export async function startProbed(
  script: string,
  options: {
    readonly name: string
    readonly core: 0 | 1
    readonly env: Readonly<Record<string, string>>
    readonly ready: RegExp | string
  },
): Promise<Probed> {
  const { name, core, env, ready } = options
  const probe = join(import.meta.dirname, 'probe.ts')
  const args = [
    '-c',
    String(core),
    process.execPath,
    '--conditions=@behalf/source',
    '--expose-gc',
    '--import',
    probe,
    script,
  ]
  const child = spawn('taskset', args, {
    env: { NODE_ENV: 'production', PATH: process.env['PATH'] ?? '', ...env },
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  })
  // Answers of the probe come one at a time, and each has its listener.
  child.setMaxListeners(0)
  let printed = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (printed = (printed + text).slice(-4000)))
  const isReady = () =>
    typeof ready === 'string'
      ? fetch(ready, { signal: AbortSignal.timeout(2000) }).then(
          ({ ok }) => ok,
          () => false,
        )
      : Promise.resolve(ready.test(printed))
  while (!(await isReady())) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`${name} ended: ${printed}`)
    await pause(5)
  }
  const ask = async (asked: Asked) => {
    const heard = once(child, 'message')
    child.send(asked)
    return ((await heard) as [Held])[0]
  }
  const cpuMs = () => cpuOf(child.pid) * 1000

  return {
    name,
    child,
    cpuMs,
    printed: () => printed,
    held: () => ask({ probe: 'held' }),
    async during(what, work) {
      const isProfiled = process.env['PROFILE'] !== undefined
      if (isProfiled) await ask({ probe: 'profile' })
      const before = cpuMs()
      await work()
      const spent = cpuMs() - before
      if (!isProfiled) return spent
      mkdirSync(profiles, { recursive: true })
      await ask({ probe: 'profiled', path: join(profiles, `${what}-${name}.cpuprofile`) })
      return spent
    },
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return
      const exited = once(child, 'exit')
      child.kill('SIGTERM')
      await exited
    },
  }
}
