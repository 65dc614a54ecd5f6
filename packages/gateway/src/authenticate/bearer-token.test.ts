import { afterAll, beforeAll, expect, it } from 'vitest'
import { anonymousSubject } from '@behalf/identity'
import { testAuthentication, type TestedAuthentication, trust, unsupported } from '../fixtures/authentication.ts'
import { type IdentityProvider, startIdentityProvider } from '../fixtures/identity-provider.ts'
import { createMemoryAuthority } from '../fixtures/memory-authority.ts'

let provider: IdentityProvider
let token: string
let show: TestedAuthentication['show']
beforeAll(async () => {
  provider = await startIdentityProvider()
  token = await provider.mint()
  ;({ show } = testAuthentication([trust(provider)], createMemoryAuthority()))
})
afterAll(() => provider[Symbol.asyncDispose]())

it('a credential is one Bearer header; without one, the caller is anonymous', async () => {
  await expect(show(['authorization', `bearer ${token}`])).resolves.toMatchObject({ subject: 'usr_ada' })
  await expect(show(['AUTHORIZATION', `BEARER   ${token}`])).resolves.toMatchObject({ subject: 'usr_ada' })
  const none = ['cookie', token, 'x-user-id', 'usr_ada', 'txn-token', token, 'forwarded', token]
  await expect(show(none)).resolves.toMatchObject({
    subject: anonymousSubject,
    tenant: null,
    scopes: [],
    actor: null,
  })
  // The value of another header is none, whatever it says.
  await expect(show(['x-note', 'authorization', 'x-other', `Bearer ${token}`])).resolves.toMatchObject({ tenant: null })
})

const header = (value: string) => ['authorization', value]
it.each<[string, () => string[]]>([
  ['two headers', () => [...header(`Bearer ${token}`), 'Authorization', `Bearer ${token}`]],
  ['two headers of which one is empty', () => [...header(''), ...header(`Bearer ${token}`)]],
  ['two in one header', () => header(`Bearer ${token}, Bearer ${token}`)],
  ['two tokens behind one scheme', () => header(`Bearer ${token},${token}`)],
  ['a token and a proof of a key', () => [...header(`Bearer ${token}`), 'DPoP', token]],
  ['the scheme DPoP', () => header(`DPoP ${token}`)],
  ['a user and a password', () => header('Basic YWRhOmFkYQ==')],
  ['nothing', () => header('')],
  ['a token without a scheme', () => header(token)],
  ['a scheme without a token', () => header('Bearer ')],
  ['a tab between scheme and token', () => header(`Bearer\t${token}`)],
])('%s is not a credential that is accepted, nor taken for none', async (_name, headers) => {
  await expect(show(header(`Bearer ${token}`))).resolves.toMatchObject({ subject: 'usr_ada' })
  await expect(show(headers())).rejects.toMatchObject(unsupported)
})

it('a credential is never in the URL (RFC 6750 2.3)', async () => {
  for (const url of [
    `/graphql?access_token=${token}`,
    `/graphql?query=%7Ba%7D&access%5Ftoken=`,
    '/graphql?access_token',
  ]) {
    await expect(show([], url)).rejects.toMatchObject(unsupported)
    await expect(show(header(`Bearer ${token}`), url)).rejects.toMatchObject(unsupported)
  }
  const asked = '/graphql?query=%7Baccess_token%7D'
  await expect(show(header(`Bearer ${token}`), asked)).resolves.toMatchObject({ subject: 'usr_ada' })
})
