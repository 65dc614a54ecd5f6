import { describe, expect, test } from 'vitest'
import { scalars } from './scalars.ts'

const { Decimal, DateTime } = scalars
const badInput = expect.objectContaining({ code: 'BAD_USER_INPUT' })

describe('Decimal', () => {
  test.each(['0', '0.00', '1250.00', '-12.5', '999999999999999999.99'])('%s stays as it is', (value) => {
    expect(Decimal.parseValue(value)).toBe(value)
    expect(Decimal.serialize(value)).toBe(value)
  })

  test.each([
    1250,
    0.1,
    '',
    '1,000',
    '1e3',
    '+1',
    '01',
    '.5',
    '5.',
    'NaN',
    'Infinity',
    ' 1',
    '1\n',
    '9'.repeat(31),
    null,
    {},
  ])('%j is refused', (value) => {
    expect(() => Decimal.parseValue(value)).toThrow(badInput)
    expect(() => Decimal.serialize(value)).toThrow(TypeError)
  })
})

describe('DateTime', () => {
  test('is a Date inside and ISO 8601 in UTC outside', () => {
    const date = new Date('2026-03-01T09:30:00.000Z')
    expect(DateTime.serialize(date)).toBe('2026-03-01T09:30:00.000Z')
    expect(DateTime.parseValue('2026-03-01T09:30:00Z')).toEqual(date)
    expect(DateTime.parseValue('2026-03-01T09:30:00.000Z')).toEqual(date)
  })

  test.each([
    '2026-03-01',
    '2026-02-30T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-03-01T09:30:00+01:00',
    'now',
    '',
    0,
    null,
  ])('%j is refused', (value) => {
    expect(() => DateTime.parseValue(value)).toThrow(badInput)
  })

  test('a resolver that gives anything else has a bug, not a caller', () => {
    expect(() => DateTime.serialize('2026-03-01')).toThrow(TypeError)
  })
})
