import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { findApps } from '@behalf/composition'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startProvider, type DevelopmentProvider } from './provider/provider.ts'
import { demoUsersOf } from './seed/demo-users.ts'

const script = fileURLToPath(new URL('token.ts', import.meta.url))
const demoUsers = demoUsersOf(findApps(fileURLToPath(new URL('../../..', import.meta.url))))
const resources = { graphql: 'http://127.0.0.1:4000/graphql', mcp: 'http://127.0.0.1:4000/mcp' }

let provider: DevelopmentProvider
beforeAll(async () => {
  provider = await startProvider({ port: 0, users: demoUsers, resources, consoleUrl: 'http://127.0.0.1:4000' })
})
afterAll(() => provider.close())

/** `npm run --silent token -- <args>` with only these variables. */
function token(args: string[], env: Record<string, string> = { IDP_PORT: new URL(provider.issuer).port }) {
  return new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
    execFile(process.execPath, ['--conditions=@behalf/source', script, ...args], { env }, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr }),
    )
  })
}

describe('prints a token and nothing else', () => {
  test('for /graphql with all scopes of the user', async () => {
    const { code, stdout, stderr } = await token(['sam'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const claims = decodeJwt(stdout)
    expect(claims).toMatchObject({ sub: 'sam', tenant: 'acme', client_id: 'behalf-cli', aud: resources.graphql })
    const sam = demoUsers.find(({ name }) => name === 'sam')!
    expect(String(claims['scope']).split(' ').toSorted()).toEqual(sam.scopes.toSorted())
  })

  test('for /mcp with some scopes', async () => {
    const { stdout } = await token(['ada', '--for', 'mcp', 'orders:read', 'profile'])
    expect(decodeJwt(stdout)).toMatchObject({
      sub: 'ada',
      client_id: 'mcp-dev',
      aud: resources.mcp,
      scope: 'orders:read profile',
    })
  })
})

describe('says what is wrong, in a sentence, with an exit code', () => {
  const sentence = (stderr: string) => {
    expect(stderr).not.toMatch(/^\s+at /m)
    return stderr
  }

  test('2 for a user that nobody knows', async () => {
    const { code, stdout, stderr } = await token(['mallory'])
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(sentence(stderr)).toBe('There is no demo user "mallory". There are: ada, ben, chloe, sam.\n')
  })

  test('2 for arguments and variables that make no sense', async () => {
    expect(await token([])).toMatchObject({ code: 2, stdout: '' })
    expect(sentence((await token(['ada', '--for', 'web'])).stderr)).toContain('--for is "graphql" or "mcp"')
    expect(await token(['ada', '--quietly'])).toMatchObject({ code: 2, stdout: '' })
    expect(await token(['ada'], { NODE_ENV: 'production' })).toMatchObject({ code: 2, stdout: '' })
  })

  test("1 for a scope that is not the user's", async () => {
    const { code, stdout, stderr } = await token(['ada', 'profile', 'users:read'])
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(sentence(stderr)).toBe('ada does not have the scope "users:read".\n')
  })

  test('1 while the provider does not run', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    await once(server.close(), 'close')
    const { code, stdout, stderr } = await token(['ada'], { IDP_PORT: String(port) })
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(sentence(stderr)).toBe(
      `The development provider does not answer at http://127.0.0.1:${port} (IDP_PORT). Run "npm start" first.\n`,
    )
  })
})
