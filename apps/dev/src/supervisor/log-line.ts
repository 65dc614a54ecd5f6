import { styleText } from 'node:util'

/** A line of a process's log: pino's JSON, or text of anything else. */
export interface LogLine {
  /** As pino has them: 40 is a warning; null where the line says none. */
  readonly level: number | null
  readonly message: string
}

const warning = 40
const levels: Readonly<Record<string, number>> = { trace: 10, debug: 20, info: 30, warn: 40, error: 50, fatal: 60 }

/** Reads pino's line (`level` as number or name, `msg`, `err`), for people. */
export function readLogLine(text: string): LogLine {
  let fields: unknown
  try {
    fields = JSON.parse(text)
  } catch {
    return { level: null, message: text }
  }
  if (typeof fields !== 'object' || fields === null) return { level: null, message: text }
  const { level: given, msg, err } = fields as { level?: unknown; msg?: unknown; err?: unknown }
  const level = typeof given === 'string' ? levels[given] : given
  if (typeof level !== 'number') return { level: null, message: text }
  const error = typeof err === 'object' && err !== null && 'message' in err ? String(err.message) : ''
  const parts = [typeof msg === 'string' ? msg : '', error]
  const message = [...new Set(parts.filter(Boolean))].join(': ') || text
  return { level, message: level >= warning ? `${levelName(level)} ${message}` : message }
}

/** Whether a newcomer should see it in the terminal. */
export const worthShowing = (line: LogLine) => line.level !== null && line.level >= warning

const levelName = (level: number) => (level >= 50 ? styleText('red', 'error') : styleText('yellow', 'warning'))
