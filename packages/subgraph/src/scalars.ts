import { AppError, scalarPatterns } from '@behalf/identity'
import { GraphQLScalarType } from 'graphql'

const decimalText = new RegExp(scalarPatterns.Decimal)
const dateTimeText = new RegExp(scalarPatterns.DateTime)

/**
 * An exact decimal number as text, such as `"1250.00"`: what PostgreSQL's `numeric` gives and takes. Numbers are
 * refused in both directions, because JSON's are binary fractions (RFC 8259, section 6).
 */
const Decimal = new GraphQLScalarType<string, string>({
  name: 'Decimal',
  serialize: (value) => {
    if (!isDecimal(value)) throw new TypeError('A Decimal is resolved as a text such as "1250.00".')
    return value
  },
  parseValue: (value) => {
    if (!isDecimal(value)) throw new AppError('BAD_USER_INPUT', 'A Decimal is a text such as "1250.00".')
    return value
  },
})

/** A moment in UTC, such as `"2026-03-01T09:30:00.000Z"` (RFC 3339); a `Date` in resolvers. */
const DateTime = new GraphQLScalarType<Date, string>({
  name: 'DateTime',
  serialize: (value) => {
    if (!(value instanceof Date)) throw new TypeError('A DateTime is resolved as a Date.')
    return value.toISOString()
  },
  parseValue: (value) => {
    const date = typeof value === 'string' && dateTimeText.test(value) ? new Date(value) : null
    // `new Date` takes 30 February for 2 March.
    if (
      date === null ||
      Number.isNaN(date.getTime()) ||
      date.toISOString().slice(0, 19) !== String(value).slice(0, 19)
    ) {
      throw new AppError('BAD_USER_INPUT', 'A DateTime is a text such as "2026-03-01T09:30:00.000Z".')
    }
    return date
  },
})

function isDecimal(value: unknown): value is string {
  return typeof value === 'string' && decimalText.test(value)
}

/** Resolvers of the scalars that `behalf compose` knows the JSON Schema of. */
export const scalars = { Decimal, DateTime } as const
