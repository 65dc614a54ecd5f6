import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { decodeProtectedHeader, jwtVerify, SignJWT } from 'jose'
import { describe, expect, it } from 'vitest'
import { createContextSigner, type ContextRequest } from './sign-context.ts'
import { createContextVerifier, type RequestHead } from './verify-context.ts'
import { deriveContextKeys, parseKeys } from './keys.ts'
import { ada, agentOfAda, newRootKey, onceOnly } from './fixtures.ts'

const rootKey = newRootKey()
const trustDomain = 'behalf'
const txn = '01980f6e-1111-7abc-8def-0123456789ab'
const body = Buffer.from(JSON.stringify({ query: '{ viewer { id } }' }))
const now = Date.UTC(2026, 10, 23)
const clock = () => now
const signer = createContextSigner({ rootKey, trustDomain, clock })
const keysOf = (receiver: string, epochs = [1]) => deriveContextKeys(rootKey, receiver, epochs)
const verifierOf = (receiver: string, at = now, keys = keysOf(receiver)) =>
  createContextVerifier({ receiver, keys, trustDomain, clock: () => at })
const orders = verifierOf('orders')

const request = (more: Partial<ContextRequest> = {}): ContextRequest => ({
  to: 'orders',
  body,
  operation: 'query',
  txn,
  facts: ['tier'],
  scopes: ['orders:read'],
  ...more,
})
const head = (token: string, more: Partial<RequestHead> = {}, bytes: Uint8Array = body): RequestHead => ({
  method: 'POST',
  url: '/graphql',
  rawHeaders: ['Content-Length', String(bytes.length), 'Txn-Token', token],
  ...more,
})
const accept = (token: string, type: 'query' | 'mutation' | 'subscription' = 'query') =>
  orders.verifyHead(head(token)).verifyBody(body).verifyOperation(type, onceOnly())

/** A token that jose signs from claims, with the keys a receiver really has. */
async function tokenFrom(
  change: (claims: Record<string, unknown>) => void,
  header: Record<string, unknown> = {},
  receiver = 'orders',
) {
  const { payload } = await jwtVerify(signer.sign(ada, request()), key('orders'), { currentDate: new Date(now) })
  const claims = structuredClone(payload) as Record<string, unknown>
  change(claims)
  return new SignJWT(claims)
    .setProtectedHeader({ typ: 'txntoken+jwt', alg: 'HS256', kid: 'orders/1', ...header })
    .sign(key(receiver))
}
const key = (receiver: string) => parseKeys(keysOf(receiver))[0]!.key

describe('a context token', () => {
  it('[P1] tells its receiver who calls, and is frozen', async () => {
    const { identity, jti, ticket, until } = await accept(signer.sign(ada, request()))
    expect(identity).toEqual({
      subject: 'usr_ada',
      tenant: 'acme',
      scopes: ['orders:read'],
      facts: { tier: 'premium' },
      client: 'behalf-cli',
      authTime: 1763856000,
      acr: 'pwd',
      actor: null,
      txn,
      approval: null,
    })
    expect({ jti, ticket, until }).toEqual({ jti: null, ticket: null, until: null })
    expect(Object.isFrozen(identity) && Object.isFrozen(identity.scopes) && Object.isFrozen(identity.facts)).toBe(true)
  })

  it('[P5] carries no fact and no scope that its receiver did not declare', async () => {
    const token = signer.sign(ada, request({ facts: [], scopes: [] }))
    const { payload } = await jwtVerify(token, key('orders'), { currentDate: new Date(now) })
    expect(payload['scope']).toBe('')
    expect(payload['tctx']).toEqual({ tenant: 'acme', facts: {} })
    expect(JSON.stringify(payload)).not.toContain('ada@')
  })

  it('names the agent, its delegation, run, tool and call', async () => {
    const { identity } = await accept(signer.sign(agentOfAda, request()))
    expect(identity.actor).toEqual(agentOfAda.actor)
  })

  it('is a JWT to any library: typ, alg, kid, body hash, 30 seconds', async () => {
    const token = signer.sign(ada, request())
    expect(decodeProtectedHeader(token)).toEqual({ typ: 'txntoken+jwt', alg: 'HS256', kid: 'orders/1' })
    const { payload } = await jwtVerify(token, key('orders'), {
      issuer: 'behalf/gateway',
      audience: 'behalf',
      typ: 'txntoken+jwt',
      algorithms: ['HS256'],
      currentDate: new Date(now),
      requiredClaims: ['iat', 'exp', 'txn', 'sub', 'scope', 'req_wl', 'rctx', 'tctx', 'hop'],
    })
    expect(payload.exp! - payload.iat!).toBe(30)
    expect(payload['hop']).toEqual({
      to: 'orders',
      op: 'query',
      req: createHash('sha256').update(body).digest('base64url'),
    })
  })

  it('is accepted when jose signed it with the same key', async () => {
    const { identity } = await accept(await tokenFrom(() => {}))
    expect(identity.subject).toBe('usr_ada')
  })

  it('refuses to be longer than receivers accept', () => {
    expect(() => signer.sign(ada, request({ ticket: 'x'.repeat(4000) }))).toThrow(
      expect.objectContaining({ code: 'INTERNAL' }),
    )
  })
})

describe('[P1] any altered byte is refused', () => {
  it('of the token', async () => {
    const token = signer.sign(ada, request())
    await expect(accept(token)).resolves.toBeDefined()
    fc.assert(
      fc.property(fc.nat(token.length - 1), fc.integer({ min: 33, max: 126 }), (at, code) => {
        const altered = token.slice(0, at) + String.fromCharCode(code) + token.slice(at + 1)
        fc.pre(altered !== token)
        expect(() => orders.verifyHead(head(altered))).toThrow(expect.objectContaining({ status: 401 }))
      }),
      { numRuns: 2000 },
    )
  })

  it('of the token, were it only another spelling of the same signature', () => {
    const token = signer.sign(ada, request())
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    for (const last of Array.from(alphabet).filter((letter) => letter !== token.at(-1))) {
      expect(() => orders.verifyHead(head(token.slice(0, -1) + last))).toThrow(
        expect.objectContaining({ code: 'CONTEXT_SIGNATURE' }),
      )
    }
    for (const other of [`${token}=`, `${token} `, ` ${token}`, `${token}\n`, `${token}.`]) {
      expect(() => orders.verifyHead(head(other))).toThrow(expect.objectContaining({ code: 'CONTEXT_MALFORMED' }))
    }
  })

  it('of the body, also added or left out', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 300 }),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        (bytes, at, change) => {
          const verified = () => orders.verifyHead(head(signer.sign(ada, request({ body: bytes })), {}, bytes))
          const altered = Uint8Array.from(bytes)
          altered[at % bytes.length]! ^= change
          expect(verified().verifyBody(bytes)).toBeDefined()
          for (const other of [altered, bytes.slice(1), Uint8Array.of(...bytes, 0)]) {
            expect(() => verified().verifyBody(other)).toThrow(
              expect.objectContaining({ code: 'CONTEXT_WRONG_REQUEST' }),
            )
          }
        },
      ),
      { numRuns: 500 },
    )
  })
})

describe('[P1] a receiver refuses', () => {
  const refusal = (head: RequestHead, verifier = orders) => {
    try {
      verifier.verifyHead(head)
    } catch (error) {
      return (error as { code: string }).code
    }
    return 'accepted'
  }
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

  it("a token for another receiver, even one that says so with this receiver's key", async () => {
    const balance = verifierOf('balance')
    expect(refusal(head(token), balance)).toBe('CONTEXT_WRONG_RECEIVER')
    expect(refusal(head(signer.sign(ada, request({ to: 'balance' }))), balance)).toBe('accepted')
    const relabelled = await tokenFrom(() => {}, { kid: 'balance/1' }, 'balance')
    expect(refusal(head(relabelled), balance)).toBe('CONTEXT_WRONG_RECEIVER')
  })

  it('a token signed by another receiver with its own key', async () => {
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
    expect(() => createContextSigner({ rootKey, trustDomain, lifetime: 61 })).toThrow(TypeError)
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
  })

  it('of a mutation is refused when the replay store does not answer', async () => {
    const token = signer.sign(ada, request({ operation: 'mutation' }))
    const verified = orders.verifyHead(head(token)).verifyBody(body)
    await expect(verified.verifyOperation('mutation', () => Promise.reject(new Error('down')))).rejects.toMatchObject({
      code: 'CONTEXT_UNVERIFIABLE',
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

describe('keys', () => {
  it('are pairwise, and differ by epoch', () => {
    const all = [
      keysOf('orders'),
      keysOf('balance'),
      keysOf('orders', [2]),
      deriveContextKeys(newRootKey(), 'orders', [1]),
    ]
    expect(new Set(all.map((keys) => keys.split(':')[1])).size).toBe(4)
  })

  it('of the previous epoch are accepted while the receiver has them', () => {
    const token = createContextSigner({ rootKey, trustDomain, clock, epoch: 2 }).sign(ada, request())
    expect(() => orders.verifyHead(head(token))).toThrow(expect.objectContaining({ code: 'CONTEXT_SIGNATURE' }))
    expect(verifierOf('orders', now, keysOf('orders', [2, 1])).verifyHead(head(token)).txn).toBe(txn)
    expect(verifierOf('orders', now, keysOf('orders', [2, 1])).verifyHead(head(signer.sign(ada, request()))).txn).toBe(
      txn,
    )
  })

  it.each(['', 'x', '1:short', `1:${'A'.repeat(43)},1:${'A'.repeat(43)}`])(
    'that cannot be read are an error at start: %j',
    (keys) => {
      expect(() => createContextVerifier({ receiver: 'orders', keys, trustDomain })).toThrow(TypeError)
    },
  )

  it.each(['', 'short', `${newRootKey()}=`])('cannot come from a root key like %j', (root) => {
    expect(() => createContextSigner({ rootKey: root, trustDomain })).toThrow(TypeError)
  })
})
