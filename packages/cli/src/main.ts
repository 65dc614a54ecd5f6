#!/usr/bin/env node
import { readConfig } from './config.ts'
import { run } from './run.ts'

process.exitCode = await run(process.argv.slice(2), readConfig(), {
  cwd: process.cwd(),
  out: (line) => console.log(line),
  error: (line) => console.error(line),
})
