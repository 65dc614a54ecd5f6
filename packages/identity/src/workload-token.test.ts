import { CompactSign, decodeJwt, jwtVerify, SignJWT } from 'jose'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { AppError } from './app-error.ts'
import { newRootKey, onceOnly } from './fixtures.ts'
import { deriveWorkloadKey, parseKey } from './keys.ts'
import { createWorkloadSigner, createWorkloadVerifier } from './workload-token.ts'

const rootKey = newRootKey()
const trustDomain = 'behalf'
const body = Buffer.from('{"run":"run_1"}')
const request = { method: 'POST', path: '/internal/tools/list', body }
const key = deriveWorkloadKey(rootKey, 'orchestrator', 1)
const signerAt = (now: number) => createWorkloadSigner({ name: 'orchestrator', key, trustDomain, clock: () => now })
const now = Date.UTC(2026, 10, 23)
const signer = signerAt(now)
const verifier = createWorkloadVerifier({
  rootKey,
  epochs: [1],
  workloads: ['orchestrator'],
  trustDomain,
  clock: () => now,
})
const refused = { code: 'WORKLOAD_REFUSED', status: 401 }
const header = { typ: 'behalf-workload+jwt', alg: 'HS256', kid: 'orchestrator/1' }

/** A token that jose signs from claims, with the workload's own key. */
function tokenFrom(change: Record<string, unknown>): Promise<string> {
  const claims = { ...decodeJwt(signer.sign(request)), ...change }
  return new SignJWT(claims).setProtectedHeader(header).sign(parseKey(key).key)
}
const verify = (token: string) => verifier.verify(token, request, onceOnly())

describe('a workload token', () => {
  it('names the workload, once', async () => {
    const token = signer.sign(request)
    const consume = onceOnly()
    await expect(verifier.verify(token, request, consume)).resolves.toBe('orchestrator')
    await expect(verifier.verify(token, request, consume)).rejects.toMatchObject(refused)
  })

  it('is a JWT to any library', async () => {
    const { payload } = await jwtVerify(signer.sign(request), parseKey(key).key, {
      typ: 'behalf-workload+jwt',
      audience: 'behalf/gateway',
      currentDate: new Date(now),
    })
    expect(payload).toMatchObject({ iss: 'orchestrator', htm: 'POST', htu: '/internal/tools/list' })
  })

  it('is refused for another method, path or body', async () => {
    for (const other of [
      { ...request, method: 'PUT' },
      { ...request, path: '/internal/token' },
      { ...request, body: Buffer.from('{}') },
    ]) {
      await expect(verifier.verify(signer.sign(request), other, onceOnly())).rejects.toMatchObject(refused)
    }
  })

  it('is refused outside its time, from an unknown workload, or with another key', async () => {
    await expect(verifier.verify(signerAt(now - 36_000).sign(request), request, onceOnly())).rejects.toMatchObject(
      refused,
    )
    await expect(verifier.verify(signerAt(now - 34_000).sign(request), request, onceOnly())).resolves.toBe(
      'orchestrator',
    )
    await expect(verifier.verify(signerAt(now + 6_000).sign(request), request, onceOnly())).rejects.toMatchObject(
      refused,
    )
    const stranger = createWorkloadSigner({
      name: 'orders',
      key: deriveWorkloadKey(rootKey, 'orders', 1),
      trustDomain,
      clock: () => now,
    })
    await expect(verifier.verify(stranger.sign(request), request, onceOnly())).rejects.toMatchObject(refused)
    const forger = createWorkloadSigner({
      name: 'orchestrator',
      key: deriveWorkloadKey(newRootKey(), 'orchestrator', 1),
      trustDomain,
      clock: () => now,
    })
    await expect(verifier.verify(forger.sign(request), request, onceOnly())).rejects.toMatchObject(refused)
  })

  it('is refused when its own workload names somebody else in it, or another receiver', async () => {
    await expect(verify(await tokenFrom({}))).resolves.toBe('orchestrator')
    await expect(verify(await tokenFrom({ iss: 'orders' }))).rejects.toMatchObject(refused)
    await expect(verify(await tokenFrom({ aud: 'other/gateway' }))).rejects.toMatchObject(refused)
    await expect(verify(await tokenFrom({ aud: 'behalf' }))).rejects.toMatchObject(refused)
  })

  it.each(['iss', 'aud', 'iat', 'exp', 'jti', 'htm', 'htu', 'req'])('is refused without %s', async (claim) => {
    for (const value of [undefined, null, [], true])
      await expect(verify(await tokenFrom({ [claim]: value }))).rejects.toMatchObject(refused)
  })

  it('is refused when its times or its id are of another type', async () => {
    const { iat = 0, exp = 0 } = decodeJwt(signer.sign(request))
    await expect(verify(await tokenFrom({ jti: 5 }))).rejects.toMatchObject(refused)
    const asText = (claims: Record<string, unknown>) =>
      new CompactSign(Buffer.from(JSON.stringify({ ...decodeJwt(signer.sign(request)), ...claims })))
        .setProtectedHeader(header)
        .sign(parseKey(key).key)
    await expect(verify(await asText({}))).resolves.toBe('orchestrator')
    await expect(verify(await asText({ iat: String(iat) }))).rejects.toMatchObject(refused)
    await expect(verify(await asText({ exp: String(exp) }))).rejects.toMatchObject(refused)
  })

  it.each(['null', '[]', '"text"', '1', '{'])('is refused when its claims are no JSON object: %s', async (payload) => {
    const token = await new CompactSign(Buffer.from(payload)).setProtectedHeader(header).sign(parseKey(key).key)
    await expect(verify(token)).rejects.toMatchObject(refused)
  })

  it('lives for 60 seconds at most, with 5 seconds of skew on both sides', async () => {
    const seconds = now / 1000
    const lasting = (iat: number, exp: number) => tokenFrom({ iat: seconds + iat, exp: seconds + exp })
    for (const [iat, exp] of [
      [0, 60],
      [5, 65],
      [-64, -4],
    ] as const)
      await expect(verify(await lasting(iat, exp))).resolves.toBe('orchestrator')
    for (const [iat, exp] of [
      [0, 61],
      [6, 60],
      [-65, -5],
    ] as const)
      await expect(verify(await lasting(iat, exp))).rejects.toMatchObject(refused)
  })

  it('is remembered until it cannot be accepted any more', async () => {
    let until = 0
    await verifier.verify(signer.sign(request), request, async (_id, expiresAt) => {
      until = expiresAt.getTime()
      return true
    })
    expect(until).toBe(now + 35_000)
  })

  it('is refused when it is no token, or longer than 2048 bytes', async () => {
    for (const other of ['', 'token', 'a.b', 'a.b.c', `${signer.sign(request)}.`])
      await expect(verify(other)).rejects.toMatchObject(refused)
    const lengths = new Set<number>()
    for (const workload of ['a', 'aa', 'aaa', 'aaaa']) {
      const own = deriveWorkloadKey(rootKey, workload, 1)
      const long = createWorkloadSigner({ name: workload, key: own, trustDomain, clock: () => now })
      const reader = createWorkloadVerifier({
        rootKey,
        epochs: [1],
        workloads: [workload],
        trustDomain,
        clock: () => now,
      })
      for (const letters of Array(20).keys()) {
        const asked = { ...request, path: `/${'x'.repeat(1250 + letters)}` }
        const token = long.sign(asked)
        const outcome = await reader.verify(token, asked, onceOnly()).catch((error: AppError) => error.code)
        expect([token.length, outcome]).toEqual([token.length, token.length > 2048 ? refused.code : workload])
        lengths.add(token.length)
      }
    }
    expect(lengths).toContain(2048)
    expect(lengths).toContain(2049)
  })

  it('is signed with one key', () => {
    const signWith = (value: string) => createWorkloadSigner({ name: 'orchestrator', key: value, trustDomain })
    expect(() => signWith('')).toThrow(TypeError)
    expect(() => signWith(`${key},${deriveWorkloadKey(rootKey, 'orchestrator', 2)}`)).toThrow(TypeError)
    expect(signWith(key).sign(request)).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+$/)
  })

  it('is not accepted while its first use cannot be told, and not called bad either', async () => {
    const token = signer.sign(request)
    const down = new Error('down')
    await expect(verifier.verify(token, request, () => Promise.reject(down))).rejects.toBe(down)
    await expect(verifier.verify(token, request, onceOnly())).resolves.toBe('orchestrator')
  })

  it('is refused when any character is changed', async () => {
    const token = signer.sign(request)
    await fc.assert(
      fc.asyncProperty(fc.nat(token.length - 1), fc.integer({ min: 33, max: 126 }), async (at, code) => {
        const altered = token.slice(0, at) + String.fromCharCode(code) + token.slice(at + 1)
        fc.pre(altered !== token)
        await expect(verifier.verify(altered, request, onceOnly())).rejects.toMatchObject(refused)
      }),
      { numRuns: 500 },
    )
  })
})
