import { AppError } from '@behalf/identity'
import type { OperationMeasures } from './measure-operation.ts'

/** What one operation may ask for, as its text has it and before anything is taken out of it. */
export interface OperationLimits {
  /** Of the document, and of a tool's too. Default 2,000. */
  readonly tokens: number
  /** Fields on the longest way down. Default 15, of which the standard introspection query needs all. */
  readonly depth: number
  /** Default 2,000. */
  readonly fields: number
  /** Default 20. */
  readonly rootFields: number
  /** Default 30. */
  readonly aliases: number
  /** Default 50. */
  readonly directives: number
  /** Default 5,000. */
  readonly cost: number
}

export const defaultOperationLimits: OperationLimits = {
  tokens: 2000,
  depth: 15,
  fields: 2000,
  rootFields: 20,
  aliases: 30,
  directives: 50,
  cost: 5000,
}

const counted = {
  depth: 'depth',
  fields: 'fields',
  rootFields: 'root fields',
  aliases: 'aliases',
  directives: 'directives',
}

/** @throws {AppError} `OPERATION_TOO_COMPLEX` that says which limit, how much was asked for, and how much may be. */
export function requireWithin(limits: OperationLimits, measures: OperationMeasures, cost: number): void {
  for (const name of Object.keys(counted) as (keyof typeof counted)[])
    requireAtMost(limits[name], measures[name], counted[name])
  requireAtMost(limits.cost, cost, 'cost')
}

const tooMuch = 'The operation asks for too much at once'

function requireAtMost(limit: number, value: number, what: string): void {
  if (value <= limit) return
  const shown = Number.isSafeInteger(value) ? String(value) : `over ${Number.MAX_SAFE_INTEGER}`
  throw new AppError('OPERATION_TOO_COMPLEX', `${tooMuch}: ${what} ${shown}, at most ${limit}.`)
}

/** What to say of a document that was too much for graphql-js to parse, by its message; null for any other. */
export function tooMuchToParse(message: string): string | null {
  const [, limit] = /^Syntax Error: Document contains more tha\w (\d+) tokens/.exec(message) ?? []
  if (limit !== undefined) return `${tooMuch}: over ${limit} tokens, at most ${limit}.`
  return message === 'Maximum call stack size exceeded' ? `${tooMuch}: values nested too deep.` : null
}
