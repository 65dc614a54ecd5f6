import { CompactSign } from 'jose'
import { describe, expect, it } from 'vitest'
import {
  body,
  clock,
  head,
  keyOf,
  keysOf,
  now,
  orders,
  request,
  rootKey,
  signer,
  tokenFrom,
  trustDomain,
  txn,
  verifierOf,
} from './context-fixtures.ts'
import { ada, agentOfAda, onceOnly } from './fixtures.ts'
import type { OperationType } from './principal.ts'
import { createContextSigner } from './sign-context.ts'
import { type ContextError, createContextVerifier, type RequestHead } from './verify-context.ts'

const accept = (token: string, type: OperationType = 'query') =>
  orders.verifyHead(head(token)).verifyBody(body).verifyOperation(type, onceOnly())

/** Code of the refusal, or `accepted`. */
const refusal = (head: RequestHead, verifier = orders) => refused(head, verifier)?.code ?? 'accepted'

function refused(head: RequestHead, verifier = orders): ContextError | null {
  try {
    verifier.verifyHead(head)
  } catch (error) {
    return error as ContextError
  }
  return null
}

describe('[P1] a receiver refuses', () => {
  const token = signer.sign(ada, request())

  it('no token, two tokens, an empty one, a long one', () => {
    const length = ['Content-Length', String(body.length)]
    expect(refusal(head(token, { rawHeaders: length }))).toBe('CONTEXT_MISSING')
    expect(refusal(head(token, { rawHeaders: [...length, 'Txn-Token', token, 'txn-token', token] }))).toBe(
      'CONTEXT_MISSING',
    )
    expect(refusal(head(token, { rawHeaders: [...length, 'Txn-Token', `${token}, ${token}`] }))).toBe(
      'CONTEXT_MALFORMED',
    )
    expect(refusal(head(''))).toBe('CONTEXT_MALFORMED')
    expect(refusal(head(`${token}${'x'.repeat(4096)}`))).toBe('CONTEXT_MALFORMED')
    expect(refusal(head(token))).toBe('accepted')
  })

  it("a token by its own header only: the name of it as another one's value is none", () => {
    const length = ['Content-Length', String(body.length)]
    const named = ['X-Note', 'txn-token', 'Txn-Token', token]
    expect(refusal(head(token, { rawHeaders: [...length, ...named] }))).toBe('accepted')
    expect(refusal(head(token, { rawHeaders: [...length, 'X-Note', 'txn-token'] }))).toBe('CONTEXT_MISSING')
  })

  it('one byte more than 4096', async () => {
    const verifier = (receiver: string) => verifierOf(receiver)
    for (const [bytes, outcome] of [
      [4096, 'accepted'],
      [4097, 'CONTEXT_MALFORMED'],
    ] as const) {
      const { receiver, long } = await tokenOf(bytes)
      expect([bytes, refusal(head(long), verifier(receiver))]).toEqual([bytes, outcome])
    }
  })

  it("a token for another receiver, even one that says so with this receiver's key", async () => {
    const balance = verifierOf('balance')
    expect(refusal(head(token), balance)).toBe('CONTEXT_WRONG_RECEIVER')
    expect(refusal(head(signer.sign(ada, request({ to: 'balance' }))), balance)).toBe('accepted')
    const relabelled = await tokenFrom(() => {}, { kid: 'balance/1' }, 'balance')
    expect(refusal(head(relabelled), balance)).toBe('CONTEXT_WRONG_RECEIVER')
  })

  it('a token signed by another receiver with its own key, and says of which key that was', async () => {
    const [other, none] = [await tokenFrom(() => {}, {}, 'balance'), await tokenFrom(() => {}, { kid: 'orders/2' })]
    expect(refused(head(other))?.cause).toBe('signature does not hold')
    expect(refused(head(none))?.cause).toBe('no such key, or a header that is not ours byte for byte')
    expect(refusal(head(await tokenFrom(() => {}, {}, 'balance')))).toBe('CONTEXT_SIGNATURE')
    expect(refusal(head(await tokenFrom(() => {}, {}, 'orders')))).toBe('accepted')
  })

  it('a token outside its time, with 5 seconds of skew', () => {
    for (const [seconds, outcome] of [
      [-6, 'CONTEXT_EXPIRED'],
      [-5, 'accepted'],
      [0, 'accepted'],
      [34, 'accepted'],
      [35, 'CONTEXT_EXPIRED'],
    ] as const) {
      expect([seconds, refusal(head(token), verifierOf('orders', now + seconds * 1000))]).toEqual([seconds, outcome])
    }
  })

  it('[P4] a token that lives longer than 60 seconds, whoever signed it', async () => {
    expect(refusal(head(await tokenFrom((claims) => (claims['exp'] = Number(claims['iat']) + 61))))).toBe(
      'CONTEXT_EXPIRED',
    )
    expect(refusal(head(await tokenFrom((claims) => (claims['exp'] = Number(claims['iat']) + 60))))).toBe('accepted')
    for (const lifetime of [-1, 0, 61, Number.NaN])
      expect(() => createContextSigner({ rootKey, trustDomain, lifetime })).toThrow(TypeError)
    const longest = createContextSigner({ rootKey, trustDomain, clock, lifetime: 60 }).sign(ada, request())
    expect(refusal(head(longest))).toBe('accepted')
  })

  it('[P4] a token that ends no later than it begins, though both are within the skew', async () => {
    const lasting = (seconds: number) => tokenFrom((claims) => (claims['exp'] = Number(claims['iat']) + seconds))
    expect(refusal(head(await lasting(-1)))).toBe('CONTEXT_EXPIRED')
    expect(refusal(head(await lasting(0)))).toBe('CONTEXT_EXPIRED')
    expect(refusal(head(await lasting(1)))).toBe('accepted')
  })

  it('another typ, alg, kid, or a header with more in it', async () => {
    expect(refusal(head(await tokenFrom(() => {}, { typ: 'JWT' })))).toBe('CONTEXT_MALFORMED')
    expect(refusal(head(await tokenFrom(() => {}, { kid: 'orders/2' })))).toBe('CONTEXT_SIGNATURE')
    expect(refusal(head(await tokenFrom(() => {}, { jku: 'http://127.0.0.1/keys' })))).toBe('CONTEXT_SIGNATURE')
    const none = Buffer.from('{"typ":"txntoken+jwt","alg":"none","kid":"orders/1"}').toString('base64url')
    expect(refusal(head(`${none}.${token.split('.')[1]}.${token.split('.')[2]}`))).toBe('CONTEXT_MALFORMED')
  })

  it('another trust domain or signer', async () => {
    expect(refusal(head(await tokenFrom((claims) => (claims['aud'] = 'other'))))).toBe('CONTEXT_MALFORMED')
    expect(refusal(head(await tokenFrom((claims) => (claims['iss'] = 'orders'))))).toBe('CONTEXT_MALFORMED')
  })

  it.each(['iss', 'aud', 'iat', 'exp', 'txn', 'sub', 'scope', 'req_wl', 'rctx', 'tctx', 'hop'])(
    'a token without %s',
    async (claim) => {
      expect(refusal(head(await tokenFrom((claims) => delete claims[claim])))).toBe('CONTEXT_MALFORMED')
      expect(refusal(head(await tokenFrom((claims) => (claims[claim] = [])))).startsWith('CONTEXT_')).toBe(true)
    },
  )

  it.each(['null', '[]', '"text"', '1', '', '{"iss"'])('claims that are no JSON object: %s', async (payload) => {
    const signed = (text: string) =>
      new CompactSign(Buffer.from(text))
        .setProtectedHeader({ typ: 'txntoken+jwt', alg: 'HS256', kid: 'orders/1' })
        .sign(keyOf('orders'))
    expect(refusal(head(await signed(payload)))).toBe('CONTEXT_MALFORMED')
    const claims = Buffer.from(token.split('.')[1]!, 'base64url').toString()
    expect(refusal(head(await signed(claims)))).toBe('accepted')
  })

  it.each(['null', '[]', '"text"', '1', '{"typ"'])('a header that is no JSON object: %s', (text) => {
    const [, payload, signature] = token.split('.')
    const header = Buffer.from(text).toString('base64url')
    expect(refusal(head(`${header}.${payload}.${signature}`))).toBe('CONTEXT_MALFORMED')
  })

  it('GET, a query string, an encoded or chunked body, no length, a length over the bound', () => {
    const withHeaders = (...more: string[]) => head(token, { rawHeaders: [...head(token).rawHeaders, ...more] })
    expect(refusal(head(token, { method: 'GET' }))).toBe('CONTEXT_WRONG_REQUEST')
    expect(refusal(head(token, { url: '/graphql?query={viewer{id}}' }))).toBe('CONTEXT_WRONG_REQUEST')
    expect(refusal(withHeaders('content-encoding', 'gzip'))).toBe('CONTEXT_WRONG_REQUEST')
    expect(refusal(withHeaders('Transfer-Encoding', 'chunked'))).toBe('CONTEXT_WRONG_REQUEST')
    expect(refusal(withHeaders('Content-Length', '1'))).toBe('CONTEXT_WRONG_REQUEST')
    expect(refusal(head(token, { rawHeaders: ['Txn-Token', token] }))).toBe('CONTEXT_WRONG_REQUEST')
    expect(refusal(head(token, { rawHeaders: ['Content-Length', '9999999', 'Txn-Token', token] }))).toBe(
      'PAYLOAD_TOO_LARGE',
    )
  })

  it.each(['', '-1', '1.5', '1e3', '0x10', ' 1', '1 ', '9'.repeat(16), 'many'])('a length of %j', (length) => {
    const withLength = (text: string) => head(token, { rawHeaders: ['Content-Length', text, 'Txn-Token', token] })
    expect(refusal(withLength(length))).toBe('CONTEXT_WRONG_REQUEST')
    expect(refusal(withLength('1'))).toBe('accepted')
  })

  it('one byte of body more than it reads', () => {
    const small = createContextVerifier({
      receiver: 'orders',
      keys: keysOf('orders'),
      trustDomain,
      clock,
      maxBodyBytes: 9,
    })
    const ofLength = (bytes: number) => head(token, {}, Buffer.alloc(bytes))
    expect(refusal(ofLength(10), small)).toBe('PAYLOAD_TOO_LARGE')
    expect(refusal(ofLength(9), small)).toBe('accepted')
    expect(refusal(ofLength(1024 * 1024 + 1))).toBe('PAYLOAD_TOO_LARGE')
    expect(refusal(ofLength(1024 * 1024))).toBe('accepted')
  })

  it('and says why to the log alone, with txn if the signature held', async () => {
    const rawHeaders = ['Txn-Token', token, 'Txn-Token', token]
    expect(refused(head(token, { rawHeaders: [] }))).toMatchObject({ cause: '0 context tokens', txn: null })
    expect(refused(head(token, { rawHeaders }))).toMatchObject({ cause: '2 context tokens', txn: null })
    expect(refused(head(await tokenFrom((claims) => (claims['rctx'] = null))))).toMatchObject({ cause: 'claim rctx' })
    expect(refused(head(token, { method: 'GET' }))).toMatchObject({ cause: 'method GET', txn })
    expect(refused(head(token, { method: 'GET' }))?.message).not.toContain('GET')
  })
})

describe('the operation', () => {
  it('[P4] of a mutation is accepted once', async () => {
    const token = signer.sign(ada, request({ operation: 'mutation' }))
    const consume = onceOnly()
    const verify = () => orders.verifyHead(head(token)).verifyBody(body).verifyOperation('mutation', consume)
    await expect(verify()).resolves.toMatchObject({ jti: expect.any(String) })
    await expect(verify()).rejects.toMatchObject({ code: 'CONTEXT_REPLAYED', status: 401, txn })
  })

  it('[P4] of a mutation is remembered until the token cannot be accepted any more', async () => {
    let until = 0
    const token = signer.sign(ada, request({ operation: 'mutation' }))
    await orders
      .verifyHead(head(token))
      .verifyBody(body)
      .verifyOperation('mutation', async (_id, expiresAt) => {
        until = expiresAt.getTime()
        return true
      })
    expect(() => verifierOf('orders', until).verifyHead(head(token))).toThrow(
      expect.objectContaining({ code: 'CONTEXT_EXPIRED' }),
    )
    expect(verifierOf('orders', until - 1).verifyHead(head(token)).txn).toBe(txn)
  })

  it('[P4] of a query asks no replay store: the same read may be repeated', async () => {
    const unused = () => Promise.reject(new Error('asked'))
    const verified = orders.verifyHead(head(signer.sign(ada, request()))).verifyBody(body)
    await expect(verified.verifyOperation('query', unused)).resolves.toMatchObject({ jti: null })
  })

  it('of a mutation is refused when the replay store does not answer', async () => {
    const token = signer.sign(ada, request({ operation: 'mutation' }))
    const verified = orders.verifyHead(head(token)).verifyBody(body)
    const down = new Error('down')
    await expect(verified.verifyOperation('mutation', () => Promise.reject(down))).rejects.toMatchObject({
      code: 'CONTEXT_UNVERIFIABLE',
      txn,
      cause: { message: 'the replay store did not answer', cause: down },
    })
  })

  it('must be of the type the token names', async () => {
    const query = signer.sign(ada, request())
    await expect(accept(query, 'mutation')).rejects.toMatchObject({ code: 'CONTEXT_WRONG_OPERATION' })
    await expect(accept(query, 'query')).resolves.toBeDefined()
    await expect(accept(signer.sign(ada, request({ operation: 'mutation' })), 'query')).rejects.toMatchObject({
      code: 'CONTEXT_WRONG_OPERATION',
    })
  })

  it('of a subscription says until when', async () => {
    const token = signer.sign(ada, request({ operation: 'subscription', until: now / 1000 + 600 }))
    await expect(accept(token, 'subscription')).resolves.toMatchObject({ until: now / 1000 + 600 })
  })

  it('[P9] of an agent carries the approval', async () => {
    const approval = { id: 'apr_1', field: 'cancelOrder' }
    const { identity } = await accept(signer.sign(agentOfAda, request({ operation: 'mutation', approval })), 'mutation')
    expect(identity.approval).toEqual(approval)
  })
})

/** A token of exactly that many bytes, which its signer would not make longer than 4096; and whom it is for. */
async function tokenOf(bytes: number): Promise<{ receiver: string; long: string }> {
  // Base64 has no texts of some lengths: a longer name of the receiver makes up for it.
  for (let letters = 1; letters < 40; letters++) {
    const receiver = 'a'.repeat(letters)
    const withTicket = (length: number) =>
      tokenFrom(
        (claims) => {
          claims['hop'] = { ...(claims['hop'] as object), to: receiver, ticket: 'x'.repeat(length) }
        },
        { kid: `${receiver}/1` },
        receiver,
      )
    const shortest = (await withTicket(1)).length
    const about = Math.floor(((bytes - shortest) * 3) / 4)
    for (const length of [about - 1, about, about + 1, about + 2]) {
      const long = await withTicket(length)
      if (long.length === bytes) return { receiver, long }
    }
  }
  throw new Error(`no token of ${bytes} bytes`)
}
