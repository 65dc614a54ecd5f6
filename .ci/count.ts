import { globSync, readFileSync } from 'node:fs'

/** Adds up the test reports of all workspaces; a workspace with tests and no report counts as failed. */
const workspaces = new Set(
  globSync('{apps,packages}/*/src/**/*.test.ts').map((file) => file.split('/').slice(0, 2).join('/')),
)
workspaces.add('test')

let passed = 0
let failed = Number(process.argv[2])
for (const workspace of workspaces) {
  try {
    const report = JSON.parse(readFileSync(`${workspace}/.reports/vitest.json`, 'utf8')) as Record<string, number>
    passed += report['numPassedTests'] ?? 0
    failed += (report['numFailedTests'] ?? 0) + (report['numFailedTestSuites'] && !report['numFailedTests'] ? 1 : 0)
  } catch {
    console.error(`${workspace}: no test report`)
    failed += 1
  }
}
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 && passed > 0 ? 0 : 1
