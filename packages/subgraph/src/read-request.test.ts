import { expect, it } from 'vitest'
import { encode } from './fixtures.ts'
import { readRequest } from './read-request.ts'

const query = '{ a }'
const refused = (message: string) => expect.objectContaining({ code: 'BAD_REQUEST', message })

it('reads one request, with null where nothing is said', () => {
  expect(readRequest(encode({ query }))).toEqual({ query, operationName: null, variables: {} })
  expect(readRequest(encode({ query, operationName: null, variables: null }))).toMatchObject({ variables: {} })
  const given = { query, operationName: 'A', variables: { a: 1 } }
  expect(readRequest(encode({ ...given, extensions: {} }))).toEqual(given)
})

it.each<[string, unknown]>([
  ['Send one operation per request.', [{ query }]],
  ['The body is not a JSON object.', query],
  ['The body is not a JSON object.', null],
  ['"query" is not a text.', { query: [query] }],
  ['"query" is not a text.', {}],
  ['"operationName" is neither a text nor null.', { query, operationName: 1 }],
  ['"variables" is neither an object nor null.', { query, variables: [1] }],
  ['"variables" is neither an object nor null.', { query, variables: 'a' }],
])('says what is wrong: %s', (message, body) => {
  expect(() => readRequest(encode(body))).toThrow(refused(message))
})

it('reads UTF-8 without a mark', () => {
  const bytes = encode({ query })
  for (const body of [[...bytes.slice(0, -2), 0xff, ...bytes.slice(-2)], [0xef, 0xbb, 0xbf, ...bytes], bytes.slice(1)])
    expect(() => readRequest(new Uint8Array(body))).toThrow(refused('The body is not JSON.'))
})
