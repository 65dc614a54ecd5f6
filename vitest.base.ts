import { defineConfig } from 'vitest/config'

const conditions = ['@behalf/source', 'module', 'node']

/** Every workspace's tests run from source, with the same condition as its processes. */
export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ['**/*.test.ts'],
    reporters: ['default', ['json', { outputFile: '.reports/vitest.json' }]],
    testTimeout: 20_000,
    hookTimeout: 60_000,
  },
})
