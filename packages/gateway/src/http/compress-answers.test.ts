import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import fastify from 'fastify'
import { describe, expect, it } from 'vitest'
import { startTestGateway } from '../fixtures/test-gateway.ts'
import { compressAnswers } from './compress-answers.ts'

const long = JSON.stringify({ text: 'ä'.repeat(5000) })
async function ask(path: string, accepted: string | undefined) {
  const app = fastify()
  compressAnswers(app)
  app.get('/long', async (_request, reply) => reply.header('content-length', Buffer.byteLength(long)).send(long))
  app.get('/short', async () => '{}')
  const headers = accepted === undefined ? {} : { 'accept-encoding': accepted }
  const { headers: sent, rawPayload } = await app.inject({ url: path, headers })
  await app.close()
  expect(sent['content-length']).toBe(String(rawPayload.length))
  return { encoding: sent['content-encoding'], vary: sent['vary'], body: rawPayload }
}

describe('a large answer', () => {
  it.each([
    ['br', 'br'],
    ['gzip, deflate, br', 'br'],
    ['gzip;q=1.0, br;q=0', 'gzip'],
    ['GZIP', 'gzip'],
    ['br;q=0.000,gzip ; q=0.5', 'gzip'],
  ])('is compressed as its client accepts it: %s', async (accepted, encoding) => {
    const answer = await ask('/long', accepted)
    expect(answer).toMatchObject({ encoding, vary: 'accept-encoding' })
    const decompress = encoding === 'br' ? brotliDecompressSync : gunzipSync
    expect(decompress(answer.body).toString()).toBe(long)
    expect(answer.body.length).toBeLessThan(long.length / 10)
  })

  it.each([undefined, '', 'identity', 'deflate', 'gzip;q=0', 'brotli', '*', 'constructor'])(
    'is not where its client does not say so: %s',
    async (accepted) => {
      const { encoding, vary, body } = await ask('/long', accepted)
      expect([encoding, vary, body.toString()]).toEqual([undefined, 'accept-encoding', long])
    },
  )
})

it('a short answer is not compressed', async () => {
  expect(await ask('/short', 'br')).toMatchObject({ encoding: undefined, vary: undefined })
})

it('a gateway compresses what it answers at length', async () => {
  await using gateway = await startTestGateway()
  const query = '{ __schema { types { name description fields { name type { name ofType { name } } } } } }'
  const answer = await gateway.ask(query, { headers: { 'accept-encoding': 'br' } })
  expect(answer.headers.get('content-encoding')).toBe('br')
  expect(answer.body.data).toEqual((await gateway.ask(query, { headers: { 'accept-encoding': 'identity' } })).body.data)
  expect(
    (await gateway.ask('{ chatBackend }', { headers: { 'accept-encoding': 'br' } })).headers.get('content-encoding'),
  ).toBeNull()
})
