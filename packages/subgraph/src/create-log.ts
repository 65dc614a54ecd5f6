import { type DestinationStream, type Logger, pino } from 'pino'

export type LogLevel = 'silent' | 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace'

/**
 * Lines of JSON. Tokens and tickets are never logged; should one be handed in, it is taken out here. So are the details
 * of PostgreSQL's errors, which hold values of rows.
 */
export function createLog(name: string, level: LogLevel, destination?: DestinationStream): Logger {
  const secrets = ['headers', 'rawHeaders', 'ticket', 'token', 'contextKeys', 'password', 'detail']
  return pino(
    {
      level,
      base: { subgraph: name },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: secrets.flatMap((secret) => [secret, `*.${secret}`, `*.*.${secret}`]), remove: true },
    },
    destination,
  )
}
