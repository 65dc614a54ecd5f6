import { randomBytes } from 'node:crypto'
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { occursIn, searchableBytes, searchableHttp } from './find-secrets.ts'

const secret = randomBytes(24).toString('base64url')
const other = randomBytes(24).toString('base64url')
const escaped = (text: string) => Array.from(text, (c) => `\\u00${c.charCodeAt(0).toString(16)}`).join('')
const base64 = (text: string) => Buffer.from(text).toString('base64')
const base64url = (text: string) => Buffer.from(text).toString('base64url')

const spellings: Record<string, (secret: string) => string> = {
  'as it is': (text) => `a${text}b`,
  'with escapes of JSON': (text) => `{"a":"${escaped(text)}"}`,
  'partly escaped': (text) => `{"a":"${escaped(text.slice(0, 4))}${text.slice(4)}"}`,
  'in JSON within JSON within JSON': (text) => JSON.stringify(JSON.stringify(`{"a":"${escaped(text)}"}`)),
  'percent-encoded': (text) => Array.from(text, (c) => `%${c.charCodeAt(0).toString(16)}`).join(''),
  'percent-encoded twice': (text) => Array.from(text, (c) => `%25${c.charCodeAt(0).toString(16)}`).join(''),
  'in hexadecimal': (text) => `\\x${Buffer.from(text).toString('hex')}`,
  'as numbers': (text) => JSON.stringify([...Buffer.from(`x${text}`)]),
  'as a password of HTTP': (text) => `Authorization: Basic ${base64(`ada:${text}`)}`,
  'in a claim': (text) => `${base64url('{}')}.${base64url(`{"é":"${text}"}`)}.abc`,
  'in a token in a claim': (text) => base64url(`{"a":"${base64url(`{"facts":{"tier":"${text}"}}`)}"}`),
  'in a claim, percent-encoded': (text) => encodeURIComponent(base64(`{"é":["${text}"]}`)),
}
const message = (body: Buffer, ...headers: string[]) =>
  Buffer.concat([Buffer.from(['POST / HTTP/1.1', 'Host: x', ...headers, '', ''].join('\r\n')), body])
const sized = (body: Buffer, ...headers: string[]) => message(body, `Content-Length: ${body.length}`, ...headers)
const chunked = (body: Buffer, ...headers: string[]) => {
  const pieces = Array.from({ length: Math.ceil(body.length / 5) }, (_, at) => body.subarray(at * 5, at * 5 + 5))
  const chunks = pieces.flatMap((piece) => [
    Buffer.from(`${piece.length.toString(16)}\r\n`),
    piece,
    Buffer.from('\r\n'),
  ])
  return message(Buffer.concat([...chunks, Buffer.from('0\r\n\r\n')]), 'Transfer-Encoding: chunked', ...headers)
}
const body = (text: string) => Buffer.from(JSON.stringify({ a: text }))
const carriers: Record<string, (secret: string) => Buffer> = {
  'a body': (text) => sized(body(text)),
  'the third message of a connection': (text) =>
    Buffer.concat([sized(body('x')), chunked(body('y')), chunked(body(text))]),
  chunks: (text) => chunked(body(text)),
  gzip: (text) => sized(gzipSync(body(text)), 'Content-Encoding: gzip'),
  deflate: (text) => sized(deflateSync(body(text)), 'Content-Encoding: deflate'),
  'brotli in chunks': (text) => chunked(brotliCompressSync(body(text)), 'Content-Encoding: br'),
  'an answer without a length': (text) => Buffer.concat([Buffer.from('HTTP/1.1 200 OK\r\n\r\n'), body(text)]),
  'an answer after one without a body': (text) =>
    Buffer.concat([Buffer.from('HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\n\r\n'), body(text)]),
  'a body that is broken off': (text) => message(body(text), 'Content-Length: 9999'),
  'a header': (text) => sized(body('x'), `Cookie: ${text}`),
  'the path': (text) => Buffer.from(`GET /?a=${text} HTTP/1.1\r\nHost: x\r\n\r\n`),
  'pieces of a stream': (text) =>
    chunked(Buffer.from(Array.from(text, (c) => `data: ${JSON.stringify({ a: [{ b: c }] })}\n\n`).join(''))),
}

describe('a secret is found', () => {
  it.each(Object.entries(spellings))('%s, and no other is', (_name, spell) => {
    const found = searchableBytes(Buffer.from(spell(secret)))
    expect([secret, other].map((each) => occursIn(found, each))).toEqual([true, false])
  })

  it.each(Object.entries(carriers))('in %s, and no other is', (_name, carry) => {
    const found = searchableHttp(carry(secret))
    expect([secret, other].map((each) => occursIn(found, each))).toEqual([true, false])
  })
})

describe('what cannot be read', () => {
  it('is no HTTP', () => {
    expect(() => searchableHttp(Buffer.from('\u0000\u0001binary'))).toThrow('Not HTTP/1.1')
    expect(() => searchableHttp(sized(body(secret), 'Content-Encoding: zstd'))).toThrow('zstd')
  })

  it('is a secret that could be anything', () => {
    expect(() => occursIn(searchableBytes(Buffer.from('premium')), 'premium')).toThrow('too short')
  })
})
