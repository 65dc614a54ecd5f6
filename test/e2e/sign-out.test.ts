import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { openProviderBrowser } from '../support/provider-browser.ts'
import { startSystem, type System } from '../support/system.ts'

vi.setConfig({ testTimeout: 90_000 })

let system: System
beforeAll(async () => {
  system = await startSystem()
})
afterAll(async () => void (await system.stop()))

const browse = (user: string) =>
  openProviderBrowser({ issuer: system.urls.issuer, resource: system.urls.graphql }, user)
/** Whom a token stands for, or the code with which it is refused. */
async function callerOf(token: string): Promise<unknown> {
  const { body } = await system.graphql(token, '{ viewer { id } }')
  return body.data?.['viewer']?.id ?? body.errors?.[0]?.extensions?.['code']
}
async function signOut(token: string | null, body?: string): Promise<number> {
  const answer = await fetch(`${system.urls.gateway}/auth/logout`, {
    method: 'POST',
    headers: {
      ...(token !== null && { authorization: `Bearer ${token}` }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { body }),
  })
  return answer.status
}

describe('[P11] a session ends', () => {
  it('where its user signs out at the provider, which tells the gateway', async () => {
    const [one, other, ben] = [await browse('ada'), await browse('ada'), await browse('ben')]
    for (const { token } of [one, other]) expect(await callerOf(token)).toBe('usr_ada')
    await one.signOut()
    await expect.poll(() => callerOf(one.token), { timeout: 2000 }).toBe('SESSION_ENDED')
    expect(await callerOf(other.token)).toBe('usr_ada')
    expect(await callerOf(ben.token)).toBe('usr_ben')
    expect(await callerOf((await browse('ada')).token)).toBe('usr_ada')
    expect(await system.log('provider')).not.toContain('not told')
  })

  it('where a client asks for it with its token, which then asks for nothing more', async () => {
    const [one, other] = [await browse('ben'), await browse('ben')]
    expect(await signOut(null)).toBe(401)
    expect(await signOut(one.token)).toBe(204)
    await expect.poll(() => callerOf(one.token), { timeout: 2000 }).toBe('SESSION_ENDED')
    expect(await signOut(one.token)).toBe(401)
    expect(await callerOf(other.token)).toBe('usr_ben')
  })

  it('with all others of its user, if that is asked for', async () => {
    const [one, other, ada] = [await browse('ben'), await browse('ben'), await browse('ada')]
    expect(await signOut(one.token, '{"everywhere":true}')).toBe(204)
    for (const { token } of [one, other])
      await expect.poll(() => callerOf(token), { timeout: 2000 }).toBe('SESSION_ENDED')
    expect(await callerOf(ada.token)).toBe('usr_ada')
  })

  it('by nobody but its issuer and its user', async () => {
    const { token } = await browse('ada')
    const answer = await fetch(`${system.urls.gateway}/auth/backchannel-logout`, {
      method: 'POST',
      body: new URLSearchParams({ logout_token: token }),
    })
    expect([answer.status, await answer.json()]).toEqual([
      400,
      expect.objectContaining({ error: 'invalid_request', code: 'LOGOUT_TOKEN_INVALID' }),
    ])
    expect(await callerOf(token)).toBe('usr_ada')
  })
})
