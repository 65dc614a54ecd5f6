import { runProcess } from '@behalf/process'
import { readProviderConfig } from '../config.ts'
import { demoUsersOf } from '../seed/demo-users.ts'

await runProcess({
  name: 'identity provider',
  readConfig: readProviderConfig,
  start: async (config) => (await import('./provider.ts')).startProvider({ ...config, users: demoUsersOf([config]) }),
})
