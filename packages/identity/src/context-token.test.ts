import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { decodeProtectedHeader, jwtVerify } from 'jose'
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
import { ada, agentOfAda, newRootKey, onceOnly } from './fixtures.ts'
import type { AppError } from './app-error.ts'
import { deriveContextKeys } from './keys.ts'
import { deepFreeze, inCall, outsideCall } from './principal.ts'
import { createContextSigner } from './sign-context.ts'
import { createContextVerifier } from './verify-context.ts'

const accept = (token: string) => orders.verifyHead(head(token)).verifyBody(body).verifyOperation('query', onceOnly())

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
    const { payload } = await jwtVerify(token, keyOf('orders'), { currentDate: new Date(now) })
    expect(payload['scope']).toBe('')
    expect(payload['tctx']).toEqual({ tenant: 'acme', facts: {} })
    expect(JSON.stringify(payload)).not.toContain('ada@')
    const { identity } = await accept(token)
    expect([identity.scopes, identity.facts]).toEqual([[], {}])
  })

  it('[P8] tells the call of each of a caller’s calls, and what else is changed of one', async () => {
    const caller = deepFreeze({ ...agentOfAda, actor: { ...agentOfAda.actor!, call: null } }) as typeof agentOfAda
    const told = async (principal: typeof agentOfAda) => {
      const { identity } = await accept(signer.sign(principal, request()))
      return identity
    }
    const of = await told(caller)
    for (const call of ['call_1', 'call_"2"', 'call_1']) {
      const made = inCall(caller, call)
      expect(outsideCall(made)).toBe(caller)
      expect(Object.isFrozen(made) && Object.isFrozen(made.actor)).toBe(true)
      expect(await told(made)).toEqual({ ...of, actor: { ...of.actor, call } })
      // As one that was put together in another way.
      expect(await told(deepFreeze({ ...caller, actor: { ...caller.actor!, call } }) as typeof caller)).toEqual(
        await told(made),
      )
    }
    const copy = deepFreeze({ ...inCall(caller, 'call_3'), scopes: [] as string[] }) as typeof caller
    expect(outsideCall(copy)).toBe(copy)
    expect(await told(copy)).toEqual({ ...of, scopes: [], actor: { ...of.actor, call: 'call_3' } })
    expect(outsideCall(ada)).toBe(ada)
    expect(() => inCall(ada, 'call_1')).toThrow('A person does not call tools.')
  })

  it('[P5] tells one receiver nothing that it told another of the same caller before', async () => {
    const declared = { facts: ['tier'], scopes: ['orders:read'] }
    const told = async (more: { facts: readonly string[]; scopes: readonly string[] }) => {
      const token = signer.sign(ada, request(more))
      const { payload } = await jwtVerify(token, keyOf('orders'), { currentDate: new Date(now) })
      return [payload['scope'], (payload['tctx'] as { facts: object }).facts]
    }
    expect(await told(declared)).toEqual(['orders:read', { tier: 'premium' }])
    expect(await told(declared)).toEqual(['orders:read', { tier: 'premium' }])
    expect(await told({ ...declared, scopes: [] })).toEqual(['', { tier: 'premium' }])
    expect(await told({ ...declared, facts: [] })).toEqual(['orders:read', {}])
    // Nor of another caller.
    const { payload } = await jwtVerify(signer.sign(agentOfAda, request(declared)), keyOf('orders'), {
      currentDate: new Date(now),
    })
    expect(payload['act']).toEqual({ sub: agentOfAda.actor?.agent })
  })

  it('[P1] tells nothing that could be changed afterwards, down to the last of it', async () => {
    const told = request({ operation: 'mutation', approval: { id: 'apr_1', field: 'cancelOrder' }, facts: ['groups'] })
    const token = signer.sign(deepFreeze({ ...agentOfAda, facts: { groups: ['a', 'b'] } }), told)
    const { identity } = await orders.verifyHead(head(token)).verifyBody(body).verifyOperation('mutation', onceOnly())
    const parts: unknown[] = [identity, ...Object.values(identity), identity.facts['groups']]
    const objects = parts.filter((part) => typeof part === 'object' && part !== null)
    expect(objects).toHaveLength(6)
    expect(objects.filter((part) => !Object.isFrozen(part))).toEqual([])
  })

  it('names the agent, its delegation, run, tool and call', async () => {
    const { identity } = await accept(signer.sign(agentOfAda, request()))
    expect(identity.actor).toEqual(agentOfAda.actor)
  })

  it('says of an agent what is known of it, and nothing twice', async () => {
    const actor = { agent: 'script', delegation: null, run: null, tool: null, call: null, parent: null }
    const token = signer.sign(deepFreeze({ ...ada, actor }), request())
    const { payload } = await jwtVerify(token, keyOf('orders'), { currentDate: new Date(now) })
    expect(payload['act']).toEqual({ sub: 'script' })
    expect(payload['tctx']).toEqual({ tenant: 'acme', facts: { tier: 'premium' } })
    expect((await accept(token)).identity.actor).toEqual(actor)
  })

  it('is a JWT to any library: typ, alg, kid, body hash, 30 seconds', async () => {
    const token = signer.sign(ada, request())
    expect(decodeProtectedHeader(token)).toEqual({ typ: 'txntoken+jwt', alg: 'HS256', kid: 'orders/1' })
    const { payload } = await jwtVerify(token, keyOf('orders'), {
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

  it('is as long as receivers accept, and no longer', () => {
    const lengthOf = (letters: number, ticket: number) => {
      try {
        return signer.sign(ada, request({ to: 'a'.repeat(letters), ticket: 'x'.repeat(ticket) })).length
      } catch (error) {
        return (error as AppError).code
      }
    }
    const lengths = [1, 2, 3, 4].flatMap((letters) =>
      Array.from({ length: 100 }, (_, more) => lengthOf(letters, 2500 + more)),
    )
    expect(Math.max(...lengths.filter((length) => typeof length === 'number'))).toBe(4096)
    expect(lengths).toContain('INTERNAL')
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
    for (const other of [token.slice(0, -1), `${token}A`, token.slice(0, token.lastIndexOf('.') + 2)]) {
      expect(() => orders.verifyHead(head(other))).toThrow(expect.objectContaining({ code: 'CONTEXT_SIGNATURE' }))
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
