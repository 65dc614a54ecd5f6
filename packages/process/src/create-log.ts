import { type DestinationStream, type Logger, pino } from 'pino'
import type { LogLevel } from './log-level.ts'
import { standardOutput } from './standard-output.ts'

export type { Logger } from 'pino'

/** What proves who somebody is, and the details of PostgreSQL's errors, which hold values of rows. */
const secrets = [
  'authorization',
  'cookie',
  'set-cookie',
  'txn-token',
  'workload-token',
  'headers',
  'rawHeaders',
  'ticket',
  'token',
  'contextKeys',
  'password',
  'detail',
].map((name) => `["${name}"]`)

/**
 * The log of a process: lines of JSON with the level's name and the time in ISO 8601. Tokens and tickets are never
 * logged; should one be handed in, down to the third level, it is taken out here.
 *
 * @param name - of the process; each line has it
 * @param destination - of the lines; default is standard output, without waiting for whoever reads it
 */
export function createLog(name: string, level: LogLevel, destination: DestinationStream = standardOutput): Logger {
  return pino(
    {
      level,
      base: { name },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: secrets.flatMap((secret) => [secret, `*${secret}`, `*.*${secret}`]), remove: true },
    },
    destination,
  )
}
