import { z } from 'zod'

/** Schema of `LOG_LEVEL`; `silent` logs nothing. */
export const logLevel = z.enum(['silent', 'fatal', 'error', 'warn', 'info', 'debug', 'trace'])

export type LogLevel = z.output<typeof logLevel>
