import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { invalid, testAuthentication, trust } from '../fixtures/authentication.ts'
import { type IdentityProvider, startIdentityProvider } from '../fixtures/identity-provider.ts'
import { createMemoryAuthority } from '../fixtures/memory-authority.ts'
import { createIssuers } from './issuers.ts'

let one: IdentityProvider
let two: IdentityProvider
beforeAll(async () => {
  one = await startIdentityProvider()
  two = await startIdentityProvider()
})
afterAll(async () => {
  await one[Symbol.asyncDispose]()
  await two[Symbol.asyncDispose]()
})

describe('[P1] several issuers', () => {
  it('may name their keys alike, and neither verifies what the other has signed, seen before or not', async () => {
    const kid = 'shared'
    for (const { publicKeys } of [one, two]) publicKeys.push({ ...publicKeys[0], kid })
    const { bear } = testAuthentication([trust(one), trust(two)], createMemoryAuthority())
    for (let round = 0; round < 2; round++) {
      for (const [signer, other] of [
        [one, two],
        [two, one],
      ] as const) {
        const own = await signer.mint({ header: { kid } })
        await expect(bear(own)).resolves.toMatchObject({ subject: 'usr_ada', issuer: signer.issuer })
        const borrowed = await signer.mint({ header: { kid }, claims: { iss: other.issuer } })
        await expect(bear(borrowed)).rejects.toMatchObject(invalid)
      }
    }
  })
})

describe('[P1] the issuer of a token', () => {
  const base64url = (text: string) => Buffer.from(text).toString('base64url')
  const claims = () => base64url(JSON.stringify({ iss: one.issuer }))
  const issuerOf = (token: string) => createIssuers([trust(one)]).of(token).config.issuer

  it('is not looked for in one that is longer than 8 KiB', () => {
    const ofLength = (length: number) => {
      const rest = length - `.${claims()}.`.length
      // No part of four characters and one is base64url.
      const head = rest % 4 === 1 ? 'AA' : 'AAAA'
      return `${head}.${claims()}.${'A'.repeat(rest - head.length)}`
    }
    expect(issuerOf(ofLength(8192))).toBe(one.issuer)
    expect(() => issuerOf(ofLength(8193))).toThrow(expect.objectContaining(invalid))
  })

  it('is none for what is no JWT, or of nobody we trust', () => {
    expect(issuerOf(`AA.${claims()}.AA`)).toBe(one.issuer)
    for (const token of ['', 'AA', `AA.${claims()}`, `AA.${claims()}.AA.AA`, 'AA.AA.AA', `AA.${base64url('[]')}.AA`])
      expect(() => issuerOf(token)).toThrow(expect.objectContaining({ ...invalid, cause: 'not a JWT' }))
    for (const iss of [undefined, null, '', 'undefined', [one.issuer], `${one.issuer}/`])
      expect(() => issuerOf(`AA.${base64url(JSON.stringify({ iss }))}.AA`)).toThrow(
        expect.objectContaining({ ...invalid, cause: 'unknown issuer' }),
      )
  })
})
