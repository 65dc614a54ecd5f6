import { execFileSync } from 'node:child_process'
import type { GeneratorCallback } from '@nx/devkit'

/** What is left to do once the files are there: the workspace's own commands, whose output is shown. */
export function finish(root: string, commands: readonly string[]): GeneratorCallback {
  return () => {
    for (const command of commands) execFileSync(command, { cwd: root, stdio: 'inherit', shell: true })
  }
}
