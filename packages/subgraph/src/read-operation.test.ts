import { buildSchema } from 'graphql'
import { expect, it } from 'vitest'
import { createReadOperation } from './read-operation.ts'

const schema = buildSchema(`
  type Query { a: Int b: Int } type Mutation { b: Int } type Subscription { c: Int }
`)
/** As of a process of its own: it remembers nothing of another test. */
const reading = () => {
  const read = createReadOperation(schema)
  return (query: string, operationName: string | null) => read({ query, operationName, variables: {} })
}

it('tells the type of the operation that is asked for, remembered or not', () => {
  const read = reading()
  const text = 'query A { a } mutation B { b }'
  for (let round = 0; round < 3; round++) {
    expect(read(text, 'A').type).toBe('query')
    expect(read(text, 'B').type).toBe('mutation')
    expect(() => read(text, null)).toThrow(expect.objectContaining({ code: 'OPERATION_RESOLUTION_FAILURE' }))
    expect(() => read(text, '')).toThrow(expect.objectContaining({ code: 'OPERATION_RESOLUTION_FAILURE' }))
    expect(() => read('{', null)).toThrow(expect.objectContaining({ code: 'GRAPHQL_PARSE_FAILED' }))
    for (const other of ['{ a }', '{ b }', 'subscription { c }'])
      expect(read(other, null).type).toMatch(/query|subscription/)
    expect(read(`{ a } # ${'long '.repeat(10_000)}`, null).type).toBe('query')
  }
})

it('finds out once what is wrong with an operation, and remembers nothing of who asked for it', () => {
  const read = createReadOperation(schema)
  const ask = (variables: Record<string, unknown>) => read({ query: '{ a no }', operationName: null, variables })
  const [first, second] = [ask({ mine: 1 }), ask({ yours: 2 })]
  expect(first.faults().map(({ message }) => message)).toEqual(['Cannot query field "no" on type "Query".'])
  expect(second.faults()).toBe(first.faults())
  expect(second.document).toBe(first.document)
  expect([first.variables, second.variables]).toEqual([{ mine: 1 }, { yours: 2 }])
  expect(reading()('{ a }', null).faults()).toEqual([])
})

it('tells what is wrong with a text, and nothing of the parser', () => {
  const read = reading()
  expect(() => read('{ a', null)).toThrow(/^Syntax Error/)
  const deep = '{a'.repeat(100_000)
  expect(() => read(deep, null)).toThrow(expect.objectContaining({ code: 'GRAPHQL_PARSE_FAILED' }))
  expect(() => read(deep, null)).not.toThrow(/stack/)
})

it('takes no name for the beginning of a query', () => {
  const read = reading()
  const rest = 'mutation B { b }'
  expect(read(`query A { a }\n${rest}`, 'A').type).toBe('query')
  expect(() => read(rest, 'A\nquery A { a }')).toThrow(
    expect.objectContaining({ code: 'OPERATION_RESOLUTION_FAILURE' }),
  )
  expect(read('{ a }', null).type).toBe('query')
  expect(() => read('{ a }', 'null')).toThrow(expect.objectContaining({ code: 'OPERATION_RESOLUTION_FAILURE' }))
  expect(() => read('{ a }', '')).toThrow(expect.objectContaining({ code: 'OPERATION_RESOLUTION_FAILURE' }))
})
