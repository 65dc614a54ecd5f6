import { mergeConfig } from 'vitest/config'
import base from '../vitest.base.ts'

/** Most of these files start a whole system: two at a time, so that one does not wait for the processors of many others. */
export default mergeConfig(base, { test: { maxWorkers: 2 } })
