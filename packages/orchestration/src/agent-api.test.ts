import { randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createWorkloadVerifier, deriveWorkloadKey, workloadTokenHeader } from '@behalf/identity'
import { afterEach, expect, test } from 'vitest'
import { createAgentApi, type AgentApiOptions } from './agent-api.ts'

const rootKey = randomBytes(32).toString('base64url')
const trustDomain = 'behalf.test'

interface Received {
  readonly path: string
  readonly body: string
  readonly type: string | undefined
  readonly token: string
}

const cleanups: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup()
})

async function serve(
  handler: (response: ServerResponse, request: IncomingMessage, attempt: number) => void,
  options: Partial<AgentApiOptions> = {},
) {
  const received: Received[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { headers, url = '' } = request
      received.push({
        path: url,
        body: Buffer.concat(chunks).toString(),
        type: headers['content-type'],
        token: String(headers[workloadTokenHeader]),
      })
      handler(response, request, received.length)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  cleanups.push(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const key = deriveWorkloadKey(rootKey, 'orchestrator', 1)
  return {
    received,
    baseUrl,
    api: createAgentApi({ baseUrl, name: 'orchestrator', key, trustDomain, retryDelaysMs: [1, 1], ...options }),
  }
}

const json = (response: ServerResponse, status: number, body: unknown) =>
  void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
const ok = { ok: true, result: { a: 1 }, truncated: false }
const call = { delegation: 'handle', run: 'run_1', call: 'call_1', name: 'get_balance', arguments: {} }

test('each request proves this workload, for exactly this path and body', async () => {
  const { api, received } = await serve((response, { url }) =>
    json(response, 200, url?.endsWith('list') ? { tools: [] } : ok),
  )
  expect(await api.tools({ delegation: 'handle', run: 'run_1' })).toEqual([])
  expect(await api.call(call)).toEqual(ok)
  const verifier = createWorkloadVerifier({ rootKey, epochs: [1], workloads: ['orchestrator'], trustDomain })
  const verify = (request: Received, body = request.body) =>
    verifier.verify(request.token, { method: 'POST', path: request.path, body: Buffer.from(body) }, () =>
      Promise.resolve(true),
    )
  for (const request of received) {
    expect(await verify(request)).toBe('orchestrator')
    await expect(verify(request, `${request.body} `)).rejects.toMatchObject({ code: 'WORKLOAD_REFUSED' })
  }
  expect(received.map(({ path }) => path)).toEqual(['/internal/tools/list', '/internal/tools/call'])
  expect(JSON.parse(received[1]?.body ?? '')).toEqual(call)
})

test('a ticket is exchanged as RFC 8693 has it, and tried once', async () => {
  const { api, received } = await serve((response, _request, attempt) =>
    attempt === 1 ? json(response, 200, { access_token: 'handle', delegation: 'dlg_1' }) : void response.destroy(),
  )
  expect(await api.redeem('a+ticket&')).toEqual({ handle: 'handle', delegation: 'dlg_1' })
  expect(received[0]?.type).toBe('application/x-www-form-urlencoded')
  expect(Object.fromEntries(new URLSearchParams(received[0]?.body))).toEqual({
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: 'a+ticket&',
    subject_token_type: 'urn:behalf:params:oauth:token-type:ticket',
  })
  await expect(api.redeem('another')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  expect(received).toHaveLength(2)
})

test('a connection that breaks is tried again, with the same call and a token of its own', async () => {
  const { api, received } = await serve((response, _request, attempt) =>
    attempt < 3 ? void response.destroy() : json(response, 200, ok),
  )
  expect(await api.call(call)).toEqual(ok)
  expect(new Set(received.map(({ body }) => body)).size).toBe(1)
  expect(new Set(received.map(({ token }) => token)).size).toBe(3)
})

test('[P11] a gateway that cannot tell now who was ended is asked again, with the same call', async () => {
  const unknown = { error: { code: 'REVOCATIONS_UNKNOWN', message: 'cannot be told now' } }
  const { api, received } = await serve((response, _request, attempt) =>
    attempt < 3 ? json(response, 503, unknown) : json(response, 200, ok),
  )
  expect(await api.call(call)).toEqual(ok)
  expect(new Set(received.map(({ body }) => body)).size).toBe(1)
  expect(new Set(received.map(({ token }) => token)).size).toBe(3)

  // And its twin, of which it was told that it is over.
  const ended = await serve((response) => json(response, 401, { error: { code: 'SESSION_ENDED', message: 'over' } }))
  await expect(ended.api.call(call)).rejects.toMatchObject({ code: 'SESSION_ENDED' })
  expect(ended.received).toHaveLength(1)
})

test('a gateway that stays away is given up', async () => {
  const { api, received } = await serve((response) => void response.destroy())
  await expect(api.tools({ delegation: 'handle', run: 'run_1' })).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  expect(received).toHaveLength(3)
})

test.each([
  ['of the table', 403, { error: { code: 'DELEGATION_REFUSED', message: 'ended' } }, 'DELEGATION_REFUSED', 1],
  ['unknown to us', 418, { error: { code: 'constructor', message: 'x' } }, 'INTERNAL', 1],
  ['without a body', 500, undefined, 'UNAVAILABLE', 3],
  ['that does not pass', 503, { error: { code: 'REVOCATIONS_UNKNOWN', message: 'x' } }, 'REVOCATIONS_UNKNOWN', 3],
])('an error %s', async (_name, status, body, code, attempts) => {
  const { api, received } = await serve((response) => json(response, status, body))
  await expect(api.call(call)).rejects.toMatchObject({ name: 'AppError', code })
  expect(received).toHaveLength(attempts)
})

test.each([
  ['not JSON', '{'],
  ['another shape', '{"ok":"yes"}'],
])('an answer that is %s is an error of ours', async (_name, body) => {
  const { api } = await serve((response) => void response.writeHead(200).end(body))
  await expect(api.call(call)).rejects.toMatchObject({ code: 'INTERNAL' })
})

test('an answer that is too large is not read to its end', async () => {
  const { api } = await serve(
    (response) => void response.writeHead(200).end(JSON.stringify({ ...ok, result: 'x'.repeat(1_100_000) })),
  )
  await expect(api.call(call)).rejects.toMatchObject({ code: 'PAYLOAD_TOO_LARGE' })
})

test('a redirect is not followed: it would carry the handle elsewhere', async () => {
  const target = await serve((response) => json(response, 200, ok))
  const { api } = await serve(
    (response) => void response.writeHead(307, { location: `${target.baseUrl}/internal/tools/call` }).end(),
  )
  await expect(api.call(call)).rejects.toMatchObject({ code: 'INTERNAL' })
  expect(target.received).toEqual([])
  expect(await target.api.call(call)).toEqual(ok)
})

test('silence ends after the time limit, and an abort at once', async () => {
  const { api } = await serve(() => undefined, { timeoutMs: 100, retryDelaysMs: [] })
  await expect(api.call(call)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  await expect(api.call(call, AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough')
})

test('[P15] a call that is one too many fails, with what a model is told, and is not sent again', async () => {
  const { api, received } = await serve((response) =>
    json(response, 429, { error: { code: 'RATE_LIMITED', message: 'at most 2 a minute' } }),
  )
  expect(await api.call(call)).toEqual({
    ok: false,
    error: { code: 'RATE_LIMITED', message: 'Too much was asked in a short time. It may work later.' },
  })
  expect(received).toHaveLength(1)
  // Where there is no call to fail, the run does.
  await expect(api.tools({ delegation: 'handle', run: 'run_1' })).rejects.toMatchObject({ code: 'RATE_LIMITED' })
})

test('[P9] what a user is asked is passed on, and what they decided is waited for', async () => {
  const approval = { id: 'apr_1', summary: 's', argumentsHash: 'h', expiresAt: '2026-01-01T00:00:00.000Z' }
  const waits = { ok: false, error: { code: 'APPROVAL_REQUIRED', message: 'm' }, approval }
  const resolutions = [{ sequence: 8, approval: 'apr_1', run: 'run_1', call: 'call_1', state: 'APPROVED' }]
  const { api, received } = await serve((response, { url }) =>
    json(response, 200, url === '/internal/tools/call' ? waits : { resolutions }),
  )
  expect(await api.call(call)).toEqual(waits)
  expect(await api.resolvedApprovals(7)).toEqual(resolutions)
  expect(received[1]).toMatchObject({ path: '/internal/approvals/resolved', body: '{"after":7}' })
})
