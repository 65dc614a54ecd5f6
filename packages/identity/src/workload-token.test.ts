import { jwtVerify } from 'jose'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { newRootKey, onceOnly } from './fixtures.ts'
import { deriveWorkloadKey, parseKeys } from './keys.ts'
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

describe('a workload token', () => {
  it('names the workload, once', async () => {
    const token = signer.sign(request)
    const consume = onceOnly()
    await expect(verifier.verify(token, request, consume)).resolves.toBe('orchestrator')
    await expect(verifier.verify(token, request, consume)).rejects.toMatchObject(refused)
  })

  it('is a JWT to any library', async () => {
    const { payload } = await jwtVerify(signer.sign(request), parseKeys(key)[0]!.key, {
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
