import { defineConfig } from 'vitest/config'

const conditions = ['@behalf/source', 'node']

// As Node does it: graphql's "module" field and its index.mjs would be a second copy beside the one that CommonJS
// packages load.
const resolve = { conditions, mainFields: [], extensions: ['.js', '.mjs', '.ts', '.json'] }

/** Every workspace's tests run from source, with the same condition as its processes. */
export default defineConfig({
  resolve,
  ssr: { resolve },
  test: {
    include: ['**/*.test.ts'],
    // Tests write tests there.
    exclude: ['**/node_modules/**', '.reports/**'],
    reporters: ['default', ['json', { outputFile: '.reports/vitest.json' }]],
    // For what hangs, and not for what is slow on a busy machine.
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // The modules are loaded once per workspace, and not once per file: most of the time went into that.
    isolate: false,
  },
})
