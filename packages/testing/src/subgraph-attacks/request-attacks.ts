import { deflateSync, gzipSync } from 'node:zlib'
import { contextTokenHeader } from '@behalf/identity'
import { send, sendLines } from '../send.ts'
import { headersOf, operationOf } from '../test-caller.ts'
import { type Attack, requestAttack } from './attack.ts'

const encode = (text: string) => new TextEncoder().encode(text)

/** Requests with a good context token that was made for another one. */
export const requestAttacks: readonly Attack[] = [
  requestAttack({
    name: 'an altered body',
    promise: 'P4',
    code: 'CONTEXT_WRONG_REQUEST',
    about: 'a space more, another operation, other variables, a list of operations, nothing',
    requests: ({ body, token }, { url }) =>
      [
        new Uint8Array([...body, 0x20]),
        new Uint8Array([0x20, ...body]),
        encode('{"query":"{ __schema { types { name } } }"}'),
        encode(JSON.stringify({ ...(JSON.parse(new TextDecoder().decode(body)) as object), variables: { a: 1 } })),
        encode(`[${new TextDecoder().decode(body)}]`),
        new Uint8Array(),
      ].map((altered) => send(url, { headers: headersOf(altered, token), body: altered })),
  }),
  requestAttack({
    name: 'a query string',
    promise: 'P4',
    code: 'CONTEXT_WRONG_REQUEST',
    about: 'a second operation beside the body, or nothing behind a question mark',
    requests: (signed, { url }) =>
      ['?query={__typename}', '?', '?operationName=x'].map((search) => send(url, { ...signed, search })),
  }),
  requestAttack({
    name: 'another method',
    promise: 'P4',
    code: 'CONTEXT_WRONG_REQUEST',
    about: 'GET with and without the body, PUT, PATCH, DELETE',
    requests: (signed, { url }) => [
      send(url, { method: 'GET', headers: [contextTokenHeader, signed.token], body: new Uint8Array() }),
      ...['GET', 'PUT', 'PATCH', 'DELETE'].map((method) => send(url, { ...signed, method })),
    ],
  }),
  requestAttack({
    name: 'a compressed body',
    promise: 'P4',
    code: 'CONTEXT_WRONG_REQUEST',
    about: 'gzip or deflate, and `Content-Encoding` on a body that is not',
    requests: ({ body, token, headers }, { url }) => [
      ...[
        { coding: 'gzip', packed: gzipSync(body) },
        { coding: 'deflate', packed: deflateSync(body) },
      ].map(({ coding, packed }) =>
        send(url, { headers: [...headersOf(packed, token), 'Content-Encoding', coding], body: packed }),
      ),
      send(url, { headers: [...headers, 'Content-Encoding', 'identity'], body }),
    ],
  }),
  requestAttack({
    name: 'a body in chunks',
    promise: 'P4',
    code: 'CONTEXT_WRONG_REQUEST',
    about: '`Transfer-Encoding: chunked`, whose length nobody declared',
    requests: ({ body, token }, { url }) => {
      const headers = ['Content-Type', 'application/json', contextTokenHeader, token, 'Transfer-Encoding', 'chunked']
      return [send(url, { headers, body })]
    },
  }),
  requestAttack({
    name: 'a body with two lengths',
    promise: 'P4',
    code: 'BAD_REQUEST',
    about: 'request smuggling: chunks and `Content-Length`, or two of these (RFC 9112 6.3)',
    requests: ({ body, token }, { url }) =>
      [['Transfer-Encoding: chunked'], [`Content-Length: ${body.byteLength + 1}`]].map((more) =>
        sendLines(
          url,
          ['Content-Type: application/json', `Txn-Token: ${token}`, `Content-Length: ${body.byteLength}`, ...more],
          body,
        ),
      ),
  }),
  requestAttack({
    name: 'an oversized body',
    promise: 'P1',
    code: 'PAYLOAD_TOO_LARGE',
    about: 'announced, and refused before a byte of it is read',
    requests: ({ token }, { url }) => {
      const headers = ['Content-Type', 'application/json', 'Content-Length', '1000000000000']
      return [send(url, { headers: [...headers, contextTokenHeader, token], body: null })]
    },
  }),
  requestAttack({
    name: 'another type of operation',
    promise: 'P4',
    code: 'CONTEXT_WRONG_OPERATION',
    about: "a query's token for a mutation, a mutation's for a query, a subscription's for either",
    requests: (_signed, { url, mine }, { query, variables }) => {
      return (['query', 'mutation', 'subscription'] as const)
        .filter((other) => other !== operationOf(query))
        .map((other) => send(url, mine.as().signed(query, variables, { operation: other })))
    },
  }),
  requestAttack({
    name: 'the same mutation again',
    promise: 'P4',
    code: 'CONTEXT_REPLAYED',
    about: 'a request that was captured and is sent once more, and ten times at once',
    on: 'mutation',
    repeated: true,
    requests: (signed, { url }) => Array.from({ length: 10 }, () => send(url, signed)),
  }),
]
