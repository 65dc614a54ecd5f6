import { expect, it } from 'vitest'
import { createReadOperationType } from './operation-type.ts'

it('tells the type of the operation that is asked for, remembered or not', () => {
  const read = createReadOperationType()
  const text = 'query A { a } mutation B { b }'
  for (let round = 0; round < 3; round++) {
    expect(read(text, 'A')).toBe('query')
    expect(read(text, 'B')).toBe('mutation')
    expect(() => read(text, null)).toThrow(expect.objectContaining({ code: 'OPERATION_RESOLUTION_FAILURE' }))
    expect(() => read(text, '')).toThrow(expect.objectContaining({ code: 'OPERATION_RESOLUTION_FAILURE' }))
    expect(() => read('{', null)).toThrow(expect.objectContaining({ code: 'GRAPHQL_PARSE_FAILED' }))
    for (const other of ['{ a }', '{ b }', 'subscription { c }'])
      expect(read(other, null)).toMatch(/query|subscription/)
    expect(read(`{ a } # ${'long '.repeat(10_000)}`, null)).toBe('query')
  }
})

it('tells what is wrong with a text, and nothing of the parser', () => {
  const read = createReadOperationType()
  expect(() => read('{ a', null)).toThrow(/^Syntax Error/)
  const deep = '{a'.repeat(100_000)
  expect(() => read(deep, null)).toThrow(expect.objectContaining({ code: 'GRAPHQL_PARSE_FAILED' }))
  expect(() => read(deep, null)).not.toThrow(/stack/)
})

it('takes no name for the beginning of a query', () => {
  const read = createReadOperationType()
  const rest = 'mutation B { b }'
  expect(read(`query A { a }\n${rest}`, 'A')).toBe('query')
  expect(() => read(rest, 'A\nquery A { a }')).toThrow(
    expect.objectContaining({ code: 'OPERATION_RESOLUTION_FAILURE' }),
  )
  expect(read('{ a }', null)).toBe('query')
  expect(() => read('{ a }', 'null')).toThrow(expect.objectContaining({ code: 'OPERATION_RESOLUTION_FAILURE' }))
  expect(() => read('{ a }', '')).toThrow(expect.objectContaining({ code: 'OPERATION_RESOLUTION_FAILURE' }))
})
