import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ConfigurationError } from '@behalf/process'
import { afterAll, describe, expect, it } from 'vitest'
import type { IssuerConfig } from '../authenticate/issuer.ts'
import { readGatewayConfig as readConfig } from './read-gateway-config.ts'

const folder = mkdtempSync(join(tmpdir(), 'behalf-issuers-'))
afterAll(() => rmSync(folder, { recursive: true }))

const file = join(folder, 'issuers.json')
const required = {
  DATABASE_URL: 'postgres://gateway:hunter2@127.0.0.1:4300/behalf',
  BEHALF_ROOT_KEY: randomBytes(32).toString('base64url'),
  GRAPHQL_RESOURCE: 'https://api.example/graphql',
  ISSUERS: file,
}
function issuersOf(content: unknown, env: Record<string, string> = {}): readonly IssuerConfig[] {
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content))
  return readConfig({ ...required, ...env }).issuers
}
function faultsOf(content: unknown, env: Record<string, string> = {}): readonly string[] {
  try {
    issuersOf(content, env)
    return []
  } catch (error) {
    if (error instanceof ConfigurationError) return error.faults.map((fault) => fault.replaceAll(file, 'FILE'))
    throw error
  }
}
const one = { issuer: 'https://login.example' }

describe('the file of issuers', () => {
  it('has audiences of its own, or the gateway’s', () => {
    const other = { issuer: 'https://other.example', audiences: { graphql: 'api' }, interactiveClients: ['portal'] }
    expect(issuersOf([one, other], { MCP_RESOURCE: 'https://api.example/mcp' })).toEqual([
      {
        ...one,
        audiences: { graphql: 'https://api.example/graphql', mcp: 'https://api.example/mcp' },
        interactiveClients: [],
      },
      { ...other, audiences: { graphql: 'api', mcp: 'https://api.example/mcp' } },
    ])
    expect(issuersOf([one])).toMatchObject([{ audiences: { graphql: 'https://api.example/graphql' } }])
    expect(issuersOf([one])[0]?.audiences).not.toHaveProperty('mcp')
  })

  it('is wrong in every place that is named, at once, and with the faults of variables', () => {
    const faults = faultsOf(
      [
        { ...one, typ: 'jwt', roles: { support: 'users:read' } },
        { issuer: 'login', audience: 'x', scopes: [''] },
      ],
      { LOG_LEVEL: 'loud' },
    )
    for (const place of ['$.0.typ', '$.0.roles.support', '$.1.issuer', '$.1.scopes.0', '$.1: ', 'LOG_LEVEL'])
      expect(faults.filter((fault) => fault.includes(place))).toHaveLength(1)
    expect(faults.find((fault) => fault.includes('$.1: '))).toContain('"audience"')
    expect(faults.every((fault) => /^(ISSUERS: in FILE, at |LOG_LEVEL)/.test(fault))).toBe(true)
  })

  it('is there, is JSON, and has an issuer in it', () => {
    expect(faultsOf('[{"issuer": hunter2')).toEqual(['ISSUERS: FILE is not JSON'])
    expect(faultsOf([])).toHaveLength(1)
    expect(faultsOf({ issuers: [one] })).toHaveLength(1)
    expect(faultsOf([one], { ISSUERS: join(folder, 'none.json') })).toEqual([
      `ISSUERS: ${join(folder, 'none.json')} cannot be read`,
    ])
    expect(faultsOf([one])).toEqual([])
  })

  it.each(['OIDC_ISSUER', 'INTERACTIVE_CLIENTS', 'TENANT_CLAIM'])('takes the place of %s', (name) => {
    const value = 'https://login.example'
    expect(faultsOf([one], { [name]: value })).toEqual([expect.stringContaining('the file takes the place of these')])
    expect(faultsOf([one], { [name]: '' })).toEqual([])
  })

  it('or OIDC_ISSUER has to be there', () => {
    const { ISSUERS: _none, ...others } = required
    expect(() => readConfig(others)).toThrow('OIDC_ISSUER: not set, and neither is ISSUERS')
    expect(() => readConfig({ ...others, LOG_LEVEL: 'loud' })).toThrow('OIDC_ISSUER')
    expect(() => readConfig({ ...others, OIDC_ISSUER: 'https://login.example' })).not.toThrow()
  })
})

describe.each(['add-an-issuer', 'roles-and-scopes'])('docs/guides/%s.md', (guide) => {
  const text = readFileSync(join(import.meta.dirname, `../../../../docs/guides/${guide}.md`), 'utf8')
  const examples = Array.from(text.matchAll(/```json\n(.*?)```/gs), ([, json = '']) => json)

  it('has examples that are accepted', () => {
    expect(examples.length).toBeGreaterThan(0)
    for (const example of examples) expect(faultsOf(example)).toEqual([])
  })
})
