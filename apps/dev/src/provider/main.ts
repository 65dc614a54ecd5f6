import { ConfigError, readProviderConfig, type ProviderConfig } from '../config.ts'
import { demoUsers } from '../seed/demo-users.ts'
import { startProvider } from './provider.ts'

let config: ProviderConfig
try {
  config = readProviderConfig()
} catch (error) {
  if (!(error instanceof ConfigError)) throw error
  for (const fault of error.faults) console.error(fault)
  process.exit(2)
}

const provider = await startProvider({ ...config, users: demoUsers })
const stop = () => void provider.close().then(() => process.exit(0))
process.once('SIGTERM', stop)
process.once('SIGINT', stop)
// The supervisor is gone, however it went.
process.once('disconnect', () => process.exit(0))
