// The script of a process that has loaded what subgraphs have in common, and waits to be told which one it is.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

/** What a spare process is told, once. */
export interface Role {
  /** Absolute path of the script that it becomes. */
  readonly script: string
  /** All of its environment. */
  readonly env: Readonly<Record<string, string>>
}

const [directory = ''] = process.argv.slice(2)
const manifest = join(directory, 'package.json')
const { dependencies = {} } = JSON.parse(readFileSync(manifest, 'utf8')) as { dependencies?: Record<string, string> }
const { resolve } = createRequire(manifest)

const role = new Promise<Role>((told) => process.once('message', (message) => told(message as Role)))
// A message is waited for, but must not be what keeps it alive: its parent is.
process.channel?.ref()
for (const name of Object.keys(dependencies)) await import(pathToFileURL(resolve(name)).href)
const { script, env } = await role
process.channel?.unref()
// oxlint-disable-next-line node/no-process-env -- it is written, for the configuration of the script to read
Object.assign(process.env, env)
await import(pathToFileURL(script).href)
