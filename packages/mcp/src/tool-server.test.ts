import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { testPrincipal } from '@behalf/testing'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { agent, createHost, keysOf } from './fixtures/host.ts'
import { createLoyalty } from './fixtures/loyalty.ts'
import { createToolServer, type ServedTool, type ToolServer } from './index.ts'

const balances = new Map<string, number>()
const done = new Map<string, number>()
const seen = new Set<string>()
let storeIsDown = false
let server: ToolServer
let host: ReturnType<typeof createHost>

beforeAll(async () => {
  server = createLoyalty(keysOf('loyalty'), {
    of: async (userId) => balances.get(userId) ?? 0,
    async redeem(userId, amount, id) {
      const before = done.get(id)
      if (before !== undefined) return before
      const left = (balances.get(userId) ?? 0) - amount
      balances.set(userId, left)
      done.set(id, left)
      return left
    },
    async consume(id) {
      if (storeIsDown) throw new Error('away')
      return !seen.has(id) && seen.add(id).has(id)
    },
  })
  const { url } = await server.listen({ port: 0 })
  host = createHost(url)
})
beforeEach(() => {
  balances.set('usr_ada', 100).set('usr_ben', 7)
  done.clear()
})
afterAll(() => server.close())

const refused = (code: string) => ({ status: 401, body: { error: { data: { code } } } })
const saying = (text: string) => ({ status: 200, body: { result: { content: [{ text }] } } })
const ben = testPrincipal('ben', { scopes: ['loyalty:read', 'loyalty:write'] })
const approval = { id: 'apr_1', field: 'redeem_points' }

describe('[P1] a tool server inside the trust domain', () => {
  it('answers as whom the context token says, whatever else is sent', async () => {
    expect(await host.call('get_points')).toMatchObject(saying('100 points'))
    expect(await host.call('get_points', {}, { principal: ben })).toMatchObject(saying('7 points'))
    const headers = { 'x-user-id': 'usr_ben', cookie: 'user=usr_ben', authorization: 'Bearer x' }
    expect(await host.call('get_points', {}, { headers })).toMatchObject(saying('100 points'))
    const claimed = await host.call('get_points', { userId: 'usr_ben' })
    expect(claimed).toMatchObject({ body: { result: { isError: true } } })
  })

  it('refuses a request with no token, with that of another receiver, of another key, or an altered one', async () => {
    const { token } = await host.call('get_points')
    expect(await host.call('get_points', {}, { token: null })).toMatchObject(refused('CONTEXT_MISSING'))
    expect(await host.call('get_points', {}, { to: 'orders' })).toMatchObject(refused('CONTEXT_WRONG_RECEIVER'))
    const rootKey = randomBytes(32).toString('base64url')
    expect(await host.call('get_points', {}, { rootKey })).toMatchObject(refused('CONTEXT_SIGNATURE'))
    const altered = `${token.slice(0, -2)}${token.endsWith('AA') ? 'BB' : 'AA'}`
    expect(await host.call('get_points', {}, { token: altered })).toMatchObject(refused('CONTEXT_SIGNATURE'))
    expect(await host.call('get_points', {}, { token: `${token}, ${token}` })).toMatchObject(
      refused('CONTEXT_MALFORMED'),
    )
  })

  it('[P4] refuses a token with another request than it was made for', async () => {
    const { token } = await host.call('get_points')
    expect(await host.list({ token })).toMatchObject(refused('CONTEXT_WRONG_REQUEST'))
    expect(await host.call('get_points', {}, { token })).toMatchObject(saying('100 points'))
    expect(await host.call('get_points', { a: 1 }, { token })).toMatchObject(refused('CONTEXT_WRONG_REQUEST'))
    expect(await host.call('get_points', {}, { path: '/mcp?a=b' })).toMatchObject(refused('CONTEXT_WRONG_REQUEST'))
    for (const verb of ['GET', 'DELETE'])
      expect(await host.call('get_points', {}, { verb })).toMatchObject(refused('CONTEXT_WRONG_REQUEST'))
  })

  it('[P4] takes a call that changes something as one, and once', async () => {
    const person = { principal: testPrincipal('ada', { scopes: ['loyalty:write'] }) }
    expect(await host.call('redeem_points', { amount: 1 }, { ...person, operation: 'query' })).toMatchObject(
      refused('CONTEXT_WRONG_OPERATION'),
    )
    const { token, ...first } = await host.call('redeem_points', { amount: 1 }, person)
    expect(first).toMatchObject(saying('99 points are left'))
    expect(await host.call('redeem_points', { amount: 1 }, { ...person, token })).toMatchObject(
      refused('CONTEXT_REPLAYED'),
    )
    expect(balances.get('usr_ada')).toBe(99)
    storeIsDown = true
    expect(await host.call('redeem_points', { amount: 1 }, person)).toMatchObject(refused('CONTEXT_UNVERIFIABLE'))
    storeIsDown = false
    expect(balances.get('usr_ada')).toBe(99)
  })

  it('is not for web pages, nor for what is no message', async () => {
    expect(await host.list({ headers: { origin: 'http://127.0.0.1' } })).toMatchObject({ status: 403 })
    expect(await host.send([])).toMatchObject({ status: 400 })
    expect(await host.list()).toMatchObject({ status: 200 })
  })

  it('is for those web pages that it was told of, and for no other', async () => {
    const origins = ['https://console.example']
    const own = createToolServer({
      name: 'x',
      version: '1',
      receiver: 'loyalty',
      contextKeys: keysOf('loyalty'),
      tools: [read],
      origins,
    })
    const other = createHost((await own.listen({ port: 0 })).url)
    expect(await other.list({ headers: { origin: 'https://console.example' } })).toMatchObject({ status: 200 })
    for (const origin of ['https://console.example.evil', 'http://console.example', 'null', 'https://evil.example'])
      expect(await other.list({ headers: { origin } })).toMatchObject({
        status: 403,
        body: { error: { data: { code: 'ORIGIN_REFUSED' } } },
      })
    await own.close()
  })

  it('says nothing of what went wrong inside', async () => {
    const run: ServedTool['run'] = () => Promise.reject(new Error('secret words'))
    const failing = createToolServer({
      name: 'x',
      version: '1',
      receiver: 'loyalty',
      contextKeys: keysOf('loyalty'),
      tools: [{ ...read, run }],
    })
    const other = createHost((await failing.listen({ port: 0 })).url)
    const answer = await other.call('get_x')
    expect(answer).toMatchObject({ status: 500, body: { error: { data: { code: 'INTERNAL' } } } })
    expect(JSON.stringify(answer.body)).not.toContain('secret')
    await failing.close()
  })
})

describe('[P8] what an agent may do with its tools', () => {
  it('is read; change something with the approval of that very tool only', async () => {
    expect(await host.call('get_points')).toMatchObject(saying('100 points'))
    for (const given of [undefined, { id: 'apr_1', field: 'other' }])
      expect(await host.call('redeem_points', { amount: 1 }, given && { approval: given })).toMatchObject({
        body: {
          result: { isError: true, content: [{ text: 'APPROVAL_REQUIRED: The user has to approve this first.' }] },
        },
      })
    expect(balances.get('usr_ada')).toBe(100)
    for (let repeat = 0; repeat < 2; repeat++)
      expect(await host.call('redeem_points', { amount: 1 }, { approval })).toMatchObject(saying('99 points are left'))
    expect(balances.get('usr_ada')).toBe(99)
  })

  it('[P10] is what its scopes list; what is not listed does not exist', async () => {
    const names = async (scopes: readonly string[]) => {
      const { body } = await host.list({ principal: testPrincipal('ada', { scopes, actor: agent.actor }) })
      return body['result'].tools.map(({ name }: { name: string }) => name)
    }
    expect(await names(['loyalty:read', 'loyalty:write'])).toEqual(['get_points', 'redeem_points'])
    expect(await names(['loyalty:read'])).toEqual(['get_points'])
    expect(await names([])).toEqual([])
    const principal = testPrincipal('ada', { scopes: ['loyalty:read'], actor: agent.actor })
    const denied = await host.call('redeem_points', { amount: 1 }, { principal })
    const unknown = await host.call('redeem_everything', {}, { principal })
    expect(denied.body).toEqual(unknown.body)
    expect(denied.body).toMatchObject({ error: { code: -32602 } })
  })
})

const read: ServedTool = {
  name: 'get_x',
  title: 'X',
  description: 'X.',
  inputSchema: { type: 'object', properties: {}, additionalProperties: false },
  readOnly: true,
  run: async () => ({ content: [] }),
}
const starts = (change: Partial<ServedTool>) => () =>
  createToolServer({
    name: 'x',
    version: '1',
    receiver: 'x',
    contextKeys: keysOf('x'),
    tools: [{ ...read, ...change }],
  })
const closed = (properties: object, more: object = {}) => ({
  type: 'object',
  properties,
  additionalProperties: false,
  ...more,
})
const word = { type: 'string' }

describe('[P3] a tool server does not start', () => {
  it.each<[string, Partial<ServedTool>, string]>([
    ['a user', { inputSchema: closed({ userId: word }) }, '"userId"'],
    ['a tenant', { inputSchema: closed({ tenant_id: word }) }, '"tenant_id"'],
    ['somebody further in', { inputSchema: closed({ filter: closed({ owner: word }) }) }, '"filter.owner"'],
    [
      'somebody in a list',
      { inputSchema: closed({ all: { type: 'array', items: closed({ email: word }) } }) },
      '"all.email"',
    ],
    [
      'somebody in an alternative',
      { inputSchema: closed({ x: { anyOf: [word, closed({ accountNumber: word })] } }) },
      '"x.accountNumber"',
    ],
    [
      'somebody by reference',
      { inputSchema: closed({ x: { $ref: '#/$defs/p' } }, { $defs: { p: closed({ customerId: word }) } }) },
      '"x.customerId"',
    ],
    ['whatever it likes', { inputSchema: closed({ x: {} }) }, '"x" may be anything'],
    ['whatever it likes, too', { inputSchema: closed({ x: true }) }, '"x" may be anything'],
    ['names of its own', { inputSchema: closed({ x: { type: 'object' } }) }, 'does not name'],
    ['names of its own at the top', { inputSchema: { type: 'object', properties: {} } }, 'does not name'],
    ['names of a pattern', { inputSchema: closed({}, { patternProperties: { '^x': word } }) }, 'patternProperties'],
    ['a schema of elsewhere', { inputSchema: closed({ x: { $ref: 'https://evil.example' } }) }, 'refers to'],
    ['no object', { inputSchema: { type: 'string' } }, 'no "object"'],
    ['somebody, for no reason', { inputSchema: closed({ userId: word }), notSubject: { userId: ' ' } }, '"userId"'],
    ['what is not there', { notSubject: { userId: 'r' } }, 'which is no input'],
  ])('with a tool whose arguments could name %s', (_who, change, problem) => {
    expect(starts(change)).toThrow(problem)
  })

  it('and does with one whose arguments cannot, or only look as if they could', () => {
    expect(starts({})).not.toThrow()
    expect(
      starts({ inputSchema: closed({ amount: { type: 'integer' }, deep: closed({ orderId: word }) }) }),
    ).not.toThrow()
    const notSubject = { 'deep.userId': 'The id of a user agent string.' }
    expect(starts({ inputSchema: closed({ deep: closed({ userId: word }) }), notSubject })).not.toThrow()
  })

  it('with two tools of one name, or one that changes something and nothing to tell repeats by', () => {
    const tools = [read, read]
    const options = { name: 'x', version: '1', receiver: 'x', contextKeys: keysOf('x') }
    expect(() => createToolServer({ ...options, tools })).toThrow('two of this name')
    expect(starts({ readOnly: false })).toThrow('consume')
    expect(() =>
      createToolServer({ ...options, tools: [{ ...read, readOnly: false }], consume: async () => true }),
    ).not.toThrow()
  })
})

it('docs/guides/write-a-tool-server.md shows the server that is tested here', () => {
  const read = (path: string) => readFileSync(join(import.meta.dirname, path), 'utf8')
  const [, shown] = /^```ts\n(.*?)^```$/ms.exec(read('../../../docs/guides/write-a-tool-server.md')) ?? []
  expect(shown).toBe(read('fixtures/loyalty.ts').replace("'../index.ts'", "'@behalf/mcp'"))
})
