import { expect, it } from 'vitest'
import { createFindDocument } from '../http/documents.ts'
import { readStreamRequest } from './read-stream-request.ts'

const find = createFindDocument({ trusted: {} })
const post = (query: unknown) =>
  readStreamRequest({ method: 'POST', url: '/graphql/stream', body: Buffer.from(JSON.stringify({ query })) }, find)
const get = (query: string) =>
  readStreamRequest({ method: 'GET', url: `/graphql/stream?query=${encodeURIComponent(query)}`, body: undefined }, find)

it('a request for a stream has a text that is something, however it comes', () => {
  const query = 'subscription { notice { id } }'
  for (const ask of [post, get]) {
    expect(ask(query)).toEqual({ query, variables: {} })
    expect(() => ask('')).toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }))
  }
  for (const other of [null, undefined, 7, [query]])
    expect(() => post(other)).toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }))
})
