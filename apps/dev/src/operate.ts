// A command of `behalf` for whoever operates a system, on the one that `npm start` started here.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ConfigurationError } from '@behalf/process'
import { type OperateConfig, readOperateConfig } from './config.ts'
import { findDatabase } from './supervisor/last-run.ts'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const behalf = join(root, 'packages/cli/src/main.ts')

function readConfigOrRefuse(): OperateConfig {
  try {
    return readOperateConfig()
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error
    process.stderr.write(`${error.faults.join('\n')}\n`)
    process.exit(2)
  }
}

const { dataDir, system } = readConfigOrRefuse()
const folder = resolve(root, dataDir)
const databaseUrl = await findDatabase(folder)
if (databaseUrl === null) {
  process.stderr.write(
    `No system runs in ${folder}. Start one with "npm start"; with a BEHALF_DATA_DIR of its own, set it here, too.\n`,
  )
  process.exit(1)
}
const child = spawn(process.execPath, ['--conditions=@behalf/source', behalf, ...process.argv.slice(2)], {
  stdio: 'inherit',
  env: { ...system, DATABASE_URL: databaseUrl },
})
const [code] = (await once(child, 'exit')) as [number | null]
process.exitCode = code ?? 1
