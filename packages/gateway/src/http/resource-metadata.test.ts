import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { trust } from '../fixtures/authentication.ts'
import { audience } from '../fixtures/identity-provider.ts'
import { startTestGateway, type TestGateway } from '../fixtures/test-gateway.ts'
import { describeResource } from './resource-metadata.ts'

const issuer = 'https://login.example'
const at = (graphql: string) => trust({ issuer }, { audiences: { graphql } })

describe('what is said of a resource (RFC 9728)', () => {
  it('names those of its issuers that name it so, and the scopes it may ask for', () => {
    const others = [
      trust({ issuer: 'https://other.example' }),
      trust({ issuer: 'https://third.example' }, { audiences: { graphql: 'api' } }),
    ]
    expect(describeResource([at(audience), ...others], ['b', 'a', 'b'])).toEqual({
      url: 'https://api.example/.well-known/oauth-protected-resource/graphql',
      document: {
        resource: audience,
        authorization_servers: [issuer, 'https://other.example'],
        scopes_supported: ['a', 'b'],
        bearer_methods_supported: ['header'],
      },
    })
  })

  it.each([
    ['https://api.example', 'https://api.example/.well-known/oauth-protected-resource'],
    ['https://api.example/', 'https://api.example/.well-known/oauth-protected-resource'],
    ['http://127.0.0.1:4000/v1/graphql', 'http://127.0.0.1:4000/.well-known/oauth-protected-resource/v1/graphql'],
    ['https://api.example/a?b=c', 'https://api.example/.well-known/oauth-protected-resource/a?b=c'],
  ])('is found between host and path: %s', (resource, url) => {
    expect(describeResource([at(resource)], [])).toMatchObject({ url, document: { resource } })
  })

  it('is nothing where its name is no web address', () => {
    for (const resource of ['api', 'api://default', 'urn:api'])
      expect(describeResource([at(resource)], [])).toBeUndefined()
    expect(describeResource([], [])).toBeUndefined()
  })
})

describe('a gateway', () => {
  let gateway: TestGateway
  beforeAll(async () => {
    const rule = {
      authenticated: true,
      scopes: [['orders:read']],
      policies: [],
      agent: 'ALLOW',
      delegates: null,
      approves: null,
    } as const
    gateway = await startTestGateway({ rules: { 'Query.order': rule } })
  })
  afterAll(() => gateway[Symbol.asyncDispose]())

  it('serves it, and names it in every challenge', async () => {
    const { status, body } = await gateway.send('/.well-known/oauth-protected-resource/graphql')
    expect({ status, body }).toEqual({
      status: 200,
      body: {
        resource: audience,
        authorization_servers: [gateway.provider.issuer],
        scopes_supported: ['orders:read'],
        bearer_methods_supported: ['header'],
      },
    })
    const metadata = 'resource_metadata="https://api.example/.well-known/oauth-protected-resource/graphql"'
    const challengeTo = async (authorization: string) => {
      const answer = await gateway.ask('{ whoami }', { headers: { authorization } })
      return [answer.status, answer.headers.get('www-authenticate')]
    }
    expect(await challengeTo('Bearer nonsense')).toEqual([
      401,
      `Bearer error="invalid_token", error_description="The access token is not valid.", ${metadata}`,
    ])
    expect(await challengeTo('Basic YWRhOg==')).toEqual([
      401,
      `Bearer error="invalid_request", error_description="Send one access token as 'Authorization: Bearer ...'.", ${metadata}`,
    ])
    const passed = await gateway.ask('{ whoami }', { token: await gateway.token() })
    expect([passed.status, passed.headers.get('www-authenticate')]).toEqual([200, null])
  })
})
