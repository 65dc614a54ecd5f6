import { defineConfig } from 'vitest/config'

// Each test file has a PostgreSQL of its own.
export default defineConfig({ test: { testTimeout: 60_000, hookTimeout: 60_000 } })
