import { once } from 'node:events'
import type { Principal } from '@behalf/identity'
import { testPrincipal } from '@behalf/testing'
import { acceptedContent, inputRequired, Server } from '@modelcontextprotocol/server'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { agent, createHost, keysOf, type Sent } from './fixtures/host.ts'
import { createToolServer, type ServedTool, type ToolServer, type ToolServerOptions } from './index.ts'
import { createToolSessions, type SessionLimits } from './tool-sessions.ts'

const closed = { type: 'object', properties: {}, additionalProperties: false }
const tool = (name: string, run: ServedTool['run'], more: Partial<ServedTool> = {}): ServedTool => ({
  name,
  title: name,
  description: name,
  inputSchema: closed,
  readOnly: true,
  run,
  ...more,
})
const given: { signal?: AbortSignal } = {}
const tools = [
  tool('ask_name', async (_none, { identity }, { mcpReq }) => {
    given.signal = mcpReq.signal
    const requestedSchema = { type: 'object' as const, properties: { name: { type: 'string' as const } } }
    const answer = await mcpReq.elicitInput({ mode: 'form', message: 'What is your name?', requestedSchema })
    return { content: [{ type: 'text', text: `${identity.subject} says ${JSON.stringify(answer.content)}` }] }
  }),
  // As 2026-07-28 has it; the SDK asks for it in a session.
  tool('ask_round', async (_none, { identity }, { mcpReq }) => {
    const requestedSchema = { type: 'object' as const, properties: { name: { type: 'string' as const } } }
    const answer = acceptedContent(mcpReq.inputResponses, 'name')
    if (answer === undefined)
      return inputRequired({
        inputRequests: { name: inputRequired.elicit({ message: 'What is it?', requestedSchema }) },
      })
    return { content: [{ type: 'text', text: `${identity.subject} says ${JSON.stringify(answer)}` }] }
  }),
  tool('get_points', async (_none, { identity }) => ({ content: [{ type: 'text', text: identity.subject }] }), {
    scopes: [['loyalty:read']],
  }),
]
const start = async (more: Partial<ToolServerOptions> = {}) => {
  const server = createToolServer({
    name: 'x',
    version: '1',
    receiver: 'loyalty',
    contextKeys: keysOf('loyalty'),
    tools,
    sessions: {},
    ...more,
  })
  return { server, host: createHost((await server.listen({ port: 0 })).url) }
}
let server: ToolServer
let host: ReturnType<typeof createHost>
beforeAll(async () => {
  ;({ server, host } = await start())
})
afterAll(() => server.close())

const initialize = {
  jsonrpc: '2.0',
  id: 0,
  method: 'initialize',
  params: {
    protocolVersion: '2025-11-25',
    capabilities: { elicitation: { form: {} } },
    clientInfo: { name: 'test', version: '1' },
  },
}
const inSession = (id: string, sent: Sent = {}): Sent => ({ ...sent, headers: { 'mcp-session-id': id } })
async function begin(sent: Sent = {}, at = host): Promise<string> {
  const { response } = await at.open(initialize, sent)
  expect(response.status).toBe(200)
  await response.text()
  return response.headers.get('mcp-session-id') ?? ''
}
const calling = (name: string, id = 1) => ({
  jsonrpc: '2.0',
  id,
  method: 'tools/call',
  params: { name, arguments: {} },
})
/** Calls what asks, and reads until it does. */
async function asked(session: string, sent: Sent = {}, name = 'ask_name') {
  const { response } = await host.open(calling(name), inSession(session, sent))
  expect(response.status).toBe(200)
  const reader = (response.body ?? new ReadableStream<Uint8Array>()).pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  const until = async (pattern: RegExp) => {
    for (;;) {
      const [, found] = pattern.exec(text) ?? []
      if (found !== undefined) return JSON.parse(found) as Record<string, unknown>
      const { done, value } = await reader.read()
      if (done) throw new Error(`ended: ${text}`)
      text += value
    }
  }
  const question = await until(/^data: (.*"elicitation\/create".*)$/m)
  return { question, answer: () => until(/^data: (.*"result".*)$/m) }
}
const answering = (question: Record<string, unknown>, name: string) => ({
  jsonrpc: '2.0',
  id: question['id'],
  result: { action: 'accept', content: { name } },
})

const scopes = ['loyalty:read', 'loyalty:write']
const actor = agent.actor
const robot = actor && { ...actor, agent: 'robot' }
const others: [string, Principal][] = [
  ['another user', testPrincipal('ben', { scopes, actor })],
  ['the same user in person', testPrincipal('ada', { scopes })],
  ['another agent of theirs', testPrincipal('ada', { scopes, actor: robot })],
  ['another client of theirs', testPrincipal('ada', { scopes, actor, client: 'other' })],
  ['the same name elsewhere', testPrincipal('ada', { scopes, actor, tenant: 'globex' })],
]

// What asks waits for an answer: a failure is a wait.
describe('[P1] a session of a tool server', { timeout: 15_000 }, () => {
  it.each(['ask_name', 'ask_round'])('lets a tool ask its user, and be answered by them: %s', async (name) => {
    const session = await begin()
    const { question, answer } = await asked(session, {}, name)
    expect(await host.send(answering(question, 'Ada'), inSession(session))).toMatchObject({ status: 202 })
    expect(await answer()).toMatchObject({ result: { content: [{ text: 'usr_ada says {"name":"Ada"}' }] } })
  })

  it.each(others)('is none for %s: not to be answered in, listed in or called in', async (_who, principal) => {
    const session = await begin()
    const { question, answer } = await asked(session)
    for (const message of [
      answering(question, 'Mallory'),
      calling('get_points', 2),
      { jsonrpc: '2.0', id: 3, method: 'tools/list' },
      { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } },
      initialize,
    ]) {
      const { status, body } = await host.send(message, inSession(session, { principal }))
      expect({ status, body }).toMatchObject({ status: 404, body: { error: { data: { code: 'NOT_FOUND' } } } })
      // To the byte as one that there never was.
      const never = await host.send(message, inSession('never', { principal }))
      expect({ status: never.status, body: never.body }).toEqual({ status, body })
    }
    expect(await host.send(answering(question, 'Ada'), inSession(session))).toMatchObject({ status: 202 })
    expect(await answer()).toMatchObject({ result: { content: [{ text: 'usr_ada says {"name":"Ada"}' }] } })
    // They have one of their own.
    expect(await begin({ principal })).not.toBe('')
  })

  it('says nothing of who asks: without a context token there is no answer, and each message has its own scopes', async () => {
    const session = await begin()
    expect(await host.list(inSession(session, { token: null }))).toMatchObject({ status: 401 })
    const names = async (principal: Principal) => {
      const { body } = await host.list(inSession(session, { principal }))
      return body['result'].tools.map(({ name }: { name: string }) => name)
    }
    expect(await names(agent)).toEqual(['ask_name', 'ask_round', 'get_points'])
    expect(await names(testPrincipal('ada', { scopes: [], actor }))).toEqual(['ask_name', 'ask_round'])
  })

  it('is for somebody, and only where it was asked for', async () => {
    expect(await begin({ principal: testPrincipal(null) })).toBe('')
    const without = await start({ sessions: undefined })
    expect(await begin({}, without.host)).toBe('')
    expect(await without.host.send(calling('get_points'), inSession('never'))).toMatchObject({ status: 200 })
    await without.server.close()
  })

  it('gives up a call whose client went away', async () => {
    const session = await begin()
    const client = new AbortController()
    await asked(session, { signal: client.signal })
    const { signal } = given
    if (!signal) throw new Error('not called')
    expect(signal.aborted).toBe(false)
    const aborted = once(signal, 'abort')
    client.abort()
    await aborted
  })

  it('ends with its server', async () => {
    const other = await start()
    const session = await begin({}, other.host)
    const { response } = await other.host.open(calling('ask_name'), inSession(session))
    await other.server.close()
    expect(await response.text()).not.toContain('"result"')
  })
})

describe('[P15] sessions are bounded', () => {
  let now = 0
  const owner = (subject: string, client = 'c') => ({ subject, caller: `${subject} ${client}` })
  function sessionsOf(limits: SessionLimits) {
    const createServer = () => new Server({ name: 'x', version: '1' }, { capabilities: { tools: {} } })
    return createToolSessions({ limits, createServer, clock: () => now })
  }
  const request = (id?: string) => {
    const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' }
    return new Request('http://x', { method: 'POST', headers: { ...headers, ...(id && { 'mcp-session-id': id }) } })
  }
  const opened = async (sessions: ReturnType<typeof sessionsOf>, ...of: Parameters<typeof owner>) => {
    const response = await sessions.serve(request(), initialize, owner(...of))
    return response?.headers.get('mcp-session-id') ?? ''
  }
  const isThere = (sessions: ReturnType<typeof sessionsOf>, id: string, ...of: Parameters<typeof owner>) =>
    sessions.serve(request(id), { jsonrpc: '2.0', id: 9, method: 'ping' }, owner(...of)).then(
      () => true,
      () => false,
    )
  const limited = { code: 'RATE_LIMITED' }

  it('for a subject: the oldest of the same caller makes room, that of another client of theirs does not', async () => {
    const sessions = sessionsOf({ perSubject: 2 })
    const first = await opened(sessions, 'ada')
    now++
    const second = await opened(sessions, 'ada')
    now++
    await expect(opened(sessions, 'ada', 'other')).rejects.toMatchObject(limited)
    const third = await opened(sessions, 'ada')
    expect(await Promise.all([first, second, third].map((id) => isThere(sessions, id, 'ada')))).toEqual([
      false,
      true,
      true,
    ])
    expect(await opened(sessions, 'ben')).not.toBe('')
  })

  it('in all, also where many begin at once', async () => {
    const sessions = sessionsOf({ total: 2 })
    const all = await Promise.allSettled(['ada', 'ben', 'chloe', 'sam'].map((subject) => opened(sessions, subject)))
    expect(all.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'rejected'])
  })

  it('in time: one in which nothing was said for a while has ended, and makes room', async () => {
    const sessions = sessionsOf({ total: 2, idleMs: 1000 })
    const [kept, idle] = [await opened(sessions, 'ada'), await opened(sessions, 'ben')]
    now += 1000
    expect(await isThere(sessions, kept, 'ada')).toBe(true)
    await expect(opened(sessions, 'chloe')).rejects.toMatchObject(limited)
    now++
    expect(await opened(sessions, 'chloe')).not.toBe('')
    expect(await isThere(sessions, idle, 'ben')).toBe(false)
    expect(await isThere(sessions, kept, 'ada')).toBe(true)
  })

  it('by what is one: a beginning that fails leaves none behind', async () => {
    const sessions = sessionsOf({ total: 1 })
    const refused = new Request('http://x', { method: 'POST', headers: { 'content-type': 'application/json' } })
    expect((await sessions.serve(refused, initialize, owner('ada')))?.status).toBe(406)
    expect(await opened(sessions, 'ben')).not.toBe('')
  })
})
