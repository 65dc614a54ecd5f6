import { mergeConfig } from 'vitest/config'
import base from '../vitest.base.ts'

/** Each of these files starts a whole system: one after another, so that none waits for the processors of the others. */
export default mergeConfig(base, { test: { fileParallelism: false } })
