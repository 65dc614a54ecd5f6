import { setImmediate } from 'node:timers/promises'
import { errors, exportJWK, generateKeyPair, type JWK } from 'jose'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { unavailable } from '../fixtures/authentication.ts'
import { createIssuerKeys } from './issuer-keys.ts'

const header = { alg: 'ES256' }
const token = { payload: '', signature: '' }

let privateKey: JWK
let publicKey: JWK
let now = 0
beforeAll(async () => {
  const pair = await generateKeyPair('ES256', { extractable: true })
  privateKey = await exportJWK(pair.privateKey)
  publicKey = await exportJWK(pair.publicKey)
})
beforeEach(() => (now = Date.now()))

/** Keys that are read from here: counted, held back or refused. */
function read(published: readonly JWK[]) {
  const issuer = 'https://issuer.example'
  const source = {
    reads: 0,
    answer: async () => {},
    keys: createIssuerKeys({
      issuer,
      algorithms: ['ES256'],
      clock: () => now,
      random: () => 0,
      async fetch(location) {
        const isKeys = location.endsWith('/jwks')
        if (!isKeys) source.reads++
        await source.answer()
        const document = isKeys ? { keys: published } : { issuer, jwks_uri: `${issuer}/jwks` }
        return { status: 200, text: JSON.stringify(document) }
      },
    }),
  }
  return source
}
const never = () => new Promise<void>(() => {})
const down = () => Promise.reject(new Error('down'))
/** What is known without a wait for the key server. */
const atOnce = <T>(answer: T | Promise<T>) => Promise.race([answer, setImmediate('waits')])

describe('keys of an issuer', () => {
  it('are read anew after half a minute, once, behind the back of whoever uses them', async () => {
    const source = read([publicKey])
    const key = await source.keys.find(header, token)
    now += 29_999
    expect(await source.keys.holds(key)).toBe(true)
    expect(source.reads).toBe(1)
    source.answer = never
    now += 1
    for (let index = 0; index < 20; index++) expect(await atOnce(source.keys.holds(key))).toBe(true)
    expect(source.reads).toBe(2)
  })

  it('are waited for when it is a minute since they were read, or since that was tried', async () => {
    const source = read([publicKey])
    const key = await source.keys.find(header, token)
    source.answer = down
    now += 60_000
    expect(await atOnce(source.keys.holds(key))).toBe(true)
    source.answer = never
    now += 59_999
    expect(await atOnce(source.keys.holds(key))).toBe(true)
    now += 1
    expect(await atOnce(source.keys.holds(key))).toBe('waits')
    expect(source.reads).toBe(3)
  })

  it('are waited for when they are an hour old, however short ago that was tried', async () => {
    const source = read([publicKey])
    const key = await source.keys.find(header, token)
    source.answer = down
    now += 3_590_000
    expect(await source.keys.holds(key)).toBe(true)
    source.answer = async () => {}
    now += 10_000
    expect(await source.keys.holds(key)).toBe(true)
  })

  it('are waited for before anything is said of them', async () => {
    const key = await read([publicKey]).keys.find(header, token)
    const source = read([publicKey])
    source.answer = down
    await expect(source.keys.holds(key)).rejects.toMatchObject(unavailable)
    source.answer = async () => {}
    now += 1000
    // Another's, for all that is the same in it.
    expect(await source.keys.holds(key)).toBe(false)
  })

  it('are not read again for a token that several of them fit', async () => {
    const source = read([publicKey, { ...publicKey, kid: 'other' }])
    for (let index = 0; index < 2; index++) {
      await expect(source.keys.find(header, token)).rejects.toBeInstanceOf(errors.JWKSMultipleMatchingKeys)
      now += 5000
    }
    expect(source.reads).toBe(1)
    await expect(source.keys.find({ ...header, kid: 'elsewhere' }, token)).rejects.toThrow(errors.JWKSNoMatchingKey)
    expect(source.reads).toBe(2)
  })

  it('that cannot be used are trouble of ours, and nothing that is wrong with a token', async () => {
    await expect(read([publicKey]).keys.find(header, token)).resolves.toBeDefined()
    for (const key of [privateKey, { ...publicKey, x: 'AAAA' }])
      await expect(read([key]).keys.find(header, token)).rejects.toMatchObject(unavailable)
  })
})
