import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ConfigurationError } from '@behalf/process'
import { afterAll, describe, expect, it } from 'vitest'
import { readGatewayConfig } from './read-gateway-config.ts'

const folder = mkdtempSync(join(tmpdir(), 'behalf-documents-'))
afterAll(() => rmSync(folder, { recursive: true }))

const file = join(folder, 'documents.json')
const required = {
  DATABASE_URL: 'postgres://gateway:hunter2@127.0.0.1:4300/behalf',
  BEHALF_ROOT_KEY: randomBytes(32).toString('base64url'),
  GRAPHQL_RESOURCE: 'https://api.example/graphql',
  OIDC_ISSUER: 'https://login.example',
  TRUSTED_DOCUMENTS: file,
}
function documentsOf(content: string, env: Record<string, string> = {}) {
  writeFileSync(file, content)
  return readGatewayConfig({ ...required, ...env }).documents
}
function faultsOf(content: string): readonly string[] {
  try {
    documentsOf(content, { TRUSTED_DOCUMENTS_ONLY: 'on' })
    return []
  } catch (error) {
    if (error instanceof ConfigurationError) return error.faults.map((fault) => fault.replaceAll(file, 'FILE'))
    throw error
  }
}

describe('the file of trusted documents', () => {
  it('has texts by id, in either form that the guide shows', () => {
    const guide = readFileSync(join(import.meta.dirname, '../../../../docs/guides/trusted-documents.md'), 'utf8')
    const [map = '', manifest = ''] = Array.from(guide.matchAll(/^```json\n(.*?)^```$/gms), ([, text]) => text)
    expect(documentsOf(map)).toMatchObject({ trusted: { 'Orders.v1': expect.stringContaining('$first') }, only: false })
    expect(documentsOf(manifest)).toEqual({
      trusted: { 'Orders.v1': 'query Orders { viewer { orders(first: 5) { edges { node { id } } } } }' },
      only: false,
    })
  })

  it('may be all that is executed', () => {
    expect(documentsOf('{ "a": "{ b }" }', { TRUSTED_DOCUMENTS_ONLY: 'on' })).toEqual({
      trusted: { a: '{ b }' },
      only: true,
    })
    expect(readGatewayConfig({ ...required, TRUSTED_DOCUMENTS: '' }).documents).toEqual({ trusted: {}, only: false })
  })

  it.each([
    ['[]', 'TRUSTED_DOCUMENTS: in FILE, at $: '],
    ['{', 'TRUSTED_DOCUMENTS: FILE is not JSON'],
    ['{}', 'TRUSTED_DOCUMENTS: not set, or empty'],
    ['{ "a": 7 }', 'TRUSTED_DOCUMENTS: in FILE, at $.a: '],
    ['{ "a": "" }', 'TRUSTED_DOCUMENTS: in FILE, at $.a: '],
    ['{ "format": "other", "operations": [] }', 'TRUSTED_DOCUMENTS: in FILE, at $.format: '],
    [
      '{ "format": "apollo-persisted-query-manifest", "version": 1, "operations": [{ "id": "a" }] }',
      'TRUSTED_DOCUMENTS: in FILE, at $.operations.0.body: ',
    ],
  ])('%s is a fault with its place', (content, fault) => {
    expect(faultsOf(content)).toEqual(expect.arrayContaining([expect.stringContaining(fault)]))
  })
})
