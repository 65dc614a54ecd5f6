import { expect, it } from 'vitest'
import { createDocumentCache } from './document-cache.ts'

it('tells the type of the operation that is asked for, remembered or not', () => {
  const read = createDocumentCache(2, 60)
  const text = 'query A { a } mutation B { b }'
  for (let round = 0; round < 3; round++) {
    expect(read(text, 'A')).toBe('query')
    expect(read(text, 'B')).toBe('mutation')
    expect(() => read(text, null)).toThrow(expect.objectContaining({ code: 'OPERATION_RESOLUTION_FAILURE' }))
    expect(() => read('{', null)).toThrow(expect.objectContaining({ code: 'GRAPHQL_PARSE_FAILED' }))
    for (const other of ['{ a }', '{ b }', 'subscription { c }'])
      expect(read(other, null)).toMatch(/query|subscription/)
    expect(read(`{ a } # ${'long '.repeat(20)}`, null)).toBe('query')
  }
})
