// This file is the complete public surface of @behalf/cli.
export { run, type Terminal } from './run.ts'
