import { errors, exportJWK, generateKeyPair, type JWK } from 'jose'
import { describe, expect, it } from 'vitest'
import { createKeySet } from './key-set.ts'

const accepted = ['ES256', 'RS256', 'PS256', 'Ed25519', 'EdDSA']
const token = { payload: '', signature: '' }

async function published(alg: string, options: { crv?: string } = {}): Promise<JWK> {
  const { publicKey } = await generateKeyPair(alg, { extractable: true, ...options })
  return { ...(await exportJWK(publicKey)), kid: alg }
}
async function algorithmsOf(key: JWK, algorithms = accepted): Promise<string[]> {
  const set = createKeySet([{ ...key }], algorithms)
  const all = ['ES256', 'ES384', 'ES512', 'RS256', 'RS384', 'PS256', 'PS512', 'Ed25519', 'EdDSA', 'HS256']
  const found = await Promise.all(
    all.map((alg) =>
      set.find({ alg }, token).then(
        () => [alg],
        () => [],
      ),
    ),
  )
  return found.flat()
}

describe('[P1] a key serves one algorithm', () => {
  it('which it names', async () => {
    expect(await algorithmsOf({ ...(await published('RS256')), alg: 'PS256' })).toEqual(['PS256'])
    expect(await algorithmsOf({ ...(await published('Ed25519')), alg: 'EdDSA' })).toEqual(['EdDSA'])
  })

  it('or else the first that fits it of those that are accepted', async () => {
    const rsa = await published('RS256')
    expect(await algorithmsOf(rsa)).toEqual(['RS256'])
    expect(await algorithmsOf(rsa, ['PS512', 'RS256'])).toEqual(['PS512'])
    expect(await algorithmsOf(await published('ES256'))).toEqual(['ES256'])
    expect(await algorithmsOf(await published('ES384'), ['ES256', 'ES384'])).toEqual(['ES384'])
    // Two names of one algorithm (RFC 9864 2.2).
    expect(await algorithmsOf(await published('Ed25519'))).toEqual(['Ed25519', 'EdDSA'])
  })

  it('and none if none fits', async () => {
    expect(await algorithmsOf(await published('ES384'))).toEqual([])
    expect(await algorithmsOf(await published('RS256'), ['ES256'])).toEqual([])
    expect(await algorithmsOf(await published('Ed25519'), ['ES256'])).toEqual([])
    expect(await algorithmsOf({ kty: 'oct', k: 'c2VjcmV0', kid: 'k' })).toEqual([])
    expect(await algorithmsOf({ kty: 'oct', k: 'c2VjcmV0', kid: 'k', alg: 'HS256' }, [...accepted, 'HS256'])).toEqual(
      [],
    )
    expect(await algorithmsOf({ ...(await published('ES256')), crv: 'toString' })).toEqual([])
  })
})

it('keys that are not for signatures, and private ones, verify nothing', async () => {
  const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true })
  const jwk = { ...(await exportJWK(publicKey)), kid: 'k' }
  const find = (key: JWK) => createKeySet([{ ...key }], accepted).find({ alg: 'ES256', kid: 'k' }, token)
  await expect(find({ ...jwk, use: 'sig' })).resolves.toBeDefined()
  await expect(find({ ...jwk, use: 'enc' })).rejects.toBeInstanceOf(errors.JWKSNoMatchingKey)
  await expect(find({ ...jwk, key_ops: ['sign'] })).rejects.toBeInstanceOf(errors.JWKSNoMatchingKey)
  await expect(find({ ...(await exportJWK(privateKey)), kid: 'k' })).rejects.toBeInstanceOf(errors.JWKSInvalid)
})

it('sets of the same keys have the same text, in any order; a set knows its own', async () => {
  const [a, b, c] = [await published('ES256'), await published('RS256'), await published('Ed25519')]
  const one = createKeySet([{ ...a }, { ...b }], accepted)
  expect(createKeySet([{ ...b }, Object.fromEntries(Object.entries(a).toReversed())], accepted).text).toBe(one.text)
  for (const keys of [[a], [a, b, c], [a, c], [a, { ...b, kid: 'other' }]])
    expect(
      createKeySet(
        keys.map((key) => ({ ...key })),
        accepted,
      ).text,
    ).not.toBe(one.text)
  const key = await one.find({ alg: 'ES256' }, token)
  expect(one.holds(key)).toBe(true)
  expect(createKeySet([{ ...a }], accepted).holds(key)).toBe(false)
})
