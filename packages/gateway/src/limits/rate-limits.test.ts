import { randomUUID } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { createWorkloadSigner, deriveWorkloadKey, workloadTokenHeader } from '@behalf/identity'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { anonymous, toPrincipal } from '../authenticate/principal.ts'
import { startTestGateway, type TestGateway } from '../fixtures/test-gateway.ts'
import type { GatewayLimits } from '../gateway-options.ts'
import { createMemoryLimiter } from '../fixtures/memory-authority.ts'
import { createRateLimits } from './rate-limits.ts'

const open: TestGateway[] = []
afterEach(async () => {
  vi.useRealTimers()
  for (const each of open.splice(0)) await each[Symbol.asyncDispose]()
})

const none = {
  user: { requests: null, cost: null, toolCalls: null },
  tenant: { requests: null, cost: null },
  anonymous: { requests: null, cost: null, refusedCredentials: null },
}

/** A gateway with no limits but these, and a token each of two users of one tenant and one of another. */
async function limited(limits: Partial<GatewayLimits>, trustedProxies: string[] = []) {
  const gateway = await startTestGateway({ limits: { ...none, ...limits }, trustedProxies })
  open.push(gateway)
  gateway.authority.people.set('chloe', { subject: 'usr_chloe', tenant: 'globex', facts: {} })
  const [ada, ben, chloe] = await Promise.all(['ada', 'ben', 'chloe'].map((sub) => gateway.token({ sub })))
  return { gateway, ada: ada ?? '', ben: ben ?? '', chloe: chloe ?? '' }
}

const query = '{ chatBackend }'
const limitOf = (message: string, retryAfter: number) => ({
  status: 429,
  body: {
    errors: [
      {
        message: `The limit of ${message} a minute. Try again in ${retryAfter} s.`,
        extensions: { code: 'RATE_LIMITED', retryAfter },
      },
    ],
    extensions: { txn: expect.any(String) },
  },
})
const passes = { status: 200, body: { data: expect.any(Object) } }

describe('[P15] requests of a user', () => {
  it('are so many a minute, and nobody else has fewer for it', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    const { gateway, ada, ben, chloe } = await limited({ user: { requests: 2, cost: null } })
    const ask = (token: string) => gateway.ask(query, { token })
    expect(await ask(ada)).toMatchObject(passes)
    vi.advanceTimersByTime(10_400)
    expect(await ask(ada)).toMatchObject(passes)
    const refused = await ask(ada)
    expect(refused).toMatchObject(limitOf('requests by this user is used up: 2', 50))
    expect(refused.headers.get('retry-after')).toBe('50')
    expect(await ask(ben)).toMatchObject(passes)
    expect(await ask(chloe)).toMatchObject(passes)
    vi.advanceTimersByTime(49_000)
    expect(await ask(ada)).toMatchObject(limitOf('requests by this user is used up: 2', 1))
    vi.advanceTimersByTime(600)
    expect(await ask(ada)).toMatchObject(passes)
  })

  it('are the same user’s with any token, and by GET', async () => {
    const { gateway, ada } = await limited({ user: { requests: 2 } })
    expect(await gateway.ask(query, { token: ada })).toMatchObject(passes)
    expect(await gateway.ask(query, { token: await gateway.token({ client_id: 'a-program' }) })).toMatchObject(passes)
    const get = await gateway.send(`/graphql?query=${encodeURIComponent(query)}`, {
      headers: { authorization: `Bearer ${ada}` },
    })
    expect(get.status).toBe(429)
  })

  it('are refused before anything in them is read', async () => {
    const { gateway, ada } = await limited({ user: { requests: 1 } })
    const send = () =>
      gateway.send('/graphql', {
        method: 'POST',
        body: '{',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${ada}` },
      })
    expect((await send()).status).toBe(400)
    expect((await send()).status).toBe(429)
  })
})

it('[P15] requests of a tenant are those of all its users, and of no other’s', async () => {
  const { gateway, ada, ben, chloe } = await limited({ tenant: { requests: 3 } })
  const ask = (token: string) => gateway.ask(query, { token })
  for (const token of [ada, ada, ben]) expect(await ask(token)).toMatchObject(passes)
  for (const token of [ada, ben])
    expect(await ask(token)).toMatchObject(limitOf('requests by this tenant is used up: 3', 60))
  expect(await ask(chloe)).toMatchObject(passes)
  expect(await gateway.ask(query)).toMatchObject(passes)
})

it('[P15] a user beyond the limit takes nothing from the tenant', async () => {
  const { gateway, ada, ben } = await limited({ user: { requests: 1 }, tenant: { requests: 2 } })
  const ask = (token: string) => gateway.ask(query, { token })
  expect(await ask(ada)).toMatchObject(passes)
  for (let index = 0; index < 3; index++) expect((await ask(ada)).status).toBe(429)
  expect(await ask(ben)).toMatchObject(passes)
})

describe('[P15] query cost', () => {
  const operation = { cost: 50 }
  const people = 'query($n: Int) { people(first: $n) { id } }'

  it('of a user is so much a minute; what is refused asks no subgraph, and less still passes', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    const { gateway, ada, ben } = await limited({ operation, user: { cost: 60 } })
    const ask = (token: string, n: number) => gateway.ask(people, { token, variables: { n } })
    expect(await ask(ada, 39)).toMatchObject(passes)
    const { received } = gateway.graph.users
    received.length = 0
    const refused = await ask(ada, 20)
    expect(refused).toMatchObject(limitOf('query cost by this user is used up: 60', 60))
    expect(refused.headers.get('retry-after')).toBe('60')
    expect(received).toEqual([])
    expect(await ask(ada, 19)).toMatchObject(passes)
    expect((await ask(ada, 1)).status).toBe(429)
    expect(await ask(ben, 20)).toMatchObject(passes)
    vi.advanceTimersByTime(60_000)
    expect(await ask(ada, 20)).toMatchObject(passes)
  })

  it('of a tenant is that of all its users', async () => {
    const { gateway, ada, ben, chloe } = await limited({ operation, tenant: { cost: 60 } })
    const ask = (token: string) => gateway.ask(people, { token, variables: { n: 39 } })
    expect(await ask(ada)).toMatchObject(passes)
    expect(await ask(ben)).toMatchObject(limitOf('query cost by this tenant is used up: 60', 60))
    expect(await ask(chloe)).toMatchObject(passes)
  })

  it('of callers without a credential is that of their address', async () => {
    const { gateway, ada } = await limited({ operation, anonymous: { cost: 60 } })
    const ask = (token?: string) => gateway.ask(people, { variables: { n: 39 }, ...(token !== undefined && { token }) })
    expect(await ask()).toMatchObject(passes)
    expect(await ask()).toMatchObject(limitOf('query cost by this address is used up: 60', 60))
    expect(await ask(ada)).toMatchObject(passes)
  })

  it.each(['user', 'tenant', 'anonymous'])(
    'of a %s that is less than one operation may have is refused at the start',
    (whose) => {
      const create = (cost: number) =>
        createRateLimits({ limiter: createMemoryLimiter(), limits: { [whose]: { cost } }, maxCost: 50 })
      expect(() => create(49)).toThrow(/One operation may cost 50, and \w+\.cost is 49 a minute/)
      expect(() => create(50)).not.toThrow()
    },
  )
})

describe('[P15] callers without a credential', () => {
  const from = (...addresses: string[]) => ({ headers: { 'x-forwarded-for': addresses.join(', ') } })

  it('are counted by the address of their connection, whatever they say', async () => {
    const { gateway } = await limited({ anonymous: { requests: 2 } })
    expect(await gateway.ask(query, from('192.0.2.1'))).toMatchObject(passes)
    expect(await gateway.ask(query, from('192.0.2.2'))).toMatchObject(passes)
    expect(await gateway.ask(query, from('192.0.2.3'))).toMatchObject(
      limitOf('requests by this address is used up: 2', 60),
    )
  })

  it('are counted by what a trusted proxy says, and not by what was said to it', async () => {
    const { gateway } = await limited({ anonymous: { requests: 1 } }, ['127.0.0.0/8', '::1'])
    expect(await gateway.ask(query, from('192.0.2.1'))).toMatchObject(passes)
    expect(await gateway.ask(query, from('192.0.2.2'))).toMatchObject(passes)
    expect((await gateway.ask(query, from('192.0.2.9', '192.0.2.2'))).status).toBe(429)
    expect(await gateway.ask(query, from('2001:db8::1'))).toMatchObject(passes)
    expect((await gateway.ask(query, from('2001:db8::2'))).status).toBe(429)
    expect(await gateway.ask(query, from('2001:db8:0:1::2'))).toMatchObject(passes)
  })

  it('with a credential that is refused are told so a few times, and nobody else is in their way', async () => {
    const { gateway, ada } = await limited({ anonymous: { refusedCredentials: 2 } }, ['127.0.0.0/8', '::1'])
    const invalid = await gateway.token({ aud: 'other' })
    const ask = (token: string, address = '192.0.2.1') => gateway.ask(query, { token, ...from(address) })
    for (const token of [invalid, 'not-a-token']) expect((await ask(token)).status).toBe(401)
    const refused = await ask(invalid)
    expect(refused).toMatchObject(limitOf('refused credentials by this address is used up: 2', 60))
    expect(refused.headers.get('retry-after')).toBe('60')
    expect(refused.headers.get('www-authenticate')).toBeNull()
    expect(await ask(ada)).toMatchObject(passes)
    expect((await ask(invalid, '192.0.2.2')).status).toBe(401)
  })

  it('are not counted for what is our fault', async () => {
    const { gateway, ada } = await limited({ anonymous: { refusedCredentials: 1 } })
    gateway.authority.down = true
    for (let index = 0; index < 3; index++) expect((await gateway.ask(query, { token: ada })).status).toBe(503)
    gateway.authority.down = false
    expect((await gateway.ask(query, { token: 'not-a-token' })).status).toBe(401)
  })
})

describe('[P15] an agent', () => {
  async function agents(limits: Partial<GatewayLimits>) {
    const { gateway, ...tokens } = await limited(limits)
    const signer = createWorkloadSigner({
      name: 'chat',
      key: deriveWorkloadKey(gateway.rootKey, 'chat', 1),
      trustDomain: 'behalf',
    })
    for (const [name, tenant] of [
      ['ada', 'acme'],
      ['chloe', 'globex'],
    ] as const) {
      const now = Date.now()
      gateway.authority.delegations.set(name, {
        id: `dlg_${name}`,
        issuer: gateway.provider.issuer,
        subject: `usr_${name}`,
        tenant,
        agent: 'assistant',
        scopes: ['orders:read'],
        facts: {},
        client: 'cli',
        session: null,
        authTime: null,
        acr: null,
        issuedAt: Math.floor(now / 1000),
        parent: randomUUID(),
        createdAt: new Date(now),
        expiresAt: new Date(now + 900_000),
      })
    }
    const call = (delegation: string) => {
      const path = '/internal/tools/call'
      const body = JSON.stringify({ delegation, run: 'run_1', call: randomUUID(), name: 'list_orders', arguments: {} })
      const proof = signer.sign({ method: 'POST', path, body: Buffer.from(body) })
      return gateway.send(path, {
        internal: true,
        method: 'POST',
        body,
        headers: { 'content-type': 'application/json', [workloadTokenHeader]: proof },
      })
    }
    return { gateway, call, ...tokens }
  }
  const ran = { status: 200, body: { ok: true } }

  it('calls tools so often a minute for each user', async () => {
    const { gateway, call } = await agents({ user: { toolCalls: 2 } })
    for (let index = 0; index < 2; index++) expect(await call('ada')).toMatchObject(ran)
    const { received } = gateway.graph.orders
    received.length = 0
    const refused = await call('ada')
    expect(refused).toMatchObject({
      status: 429,
      body: {
        error: {
          code: 'RATE_LIMITED',
          message: expect.stringContaining('tool calls by this user is used up: 2 a minute'),
        },
      },
    })
    expect(refused.headers.get('retry-after')).toBe('60')
    expect(received).toEqual([])
    expect(await call('chloe')).toMatchObject(ran)
  })

  it('asks for no more than its user may, by tools as by queries; a bound for one operation is not asked of a tool', async () => {
    // The tool costs 12.
    const { gateway, call, ada } = await agents({ operation: { cost: 3, depth: 1, fields: 1 }, user: { cost: 25 } })
    expect(await call('ada')).toMatchObject(ran)
    expect(await call('ada')).toMatchObject(ran)
    expect(await call('ada')).toMatchObject({ status: 200, body: { ok: false, error: { code: 'RATE_LIMITED' } } })
    expect(await gateway.ask('{ chatBackend }', { token: ada })).toMatchObject(passes)
    expect((await gateway.ask('{ chatBackend }', { token: ada })).status).toBe(429)
    expect(await call('chloe')).toMatchObject(ran)
  })
})

describe('[P15] a limiter that has to ask somebody', () => {
  const limits = { ...none, user: { ...none.user, requests: 2 }, tenant: { ...none.tenant, requests: 3 } }
  const principal = (subject: string) => toPrincipal({ ...anonymous, subject, tenant: 'acme' })
  function slow() {
    const limiter = createMemoryLimiter(Date.now)
    const asked: string[] = []
    const take = async (...[limit, key, points]: Parameters<typeof limiter.take>) => {
      asked.push(`${limit.name} ${key}`)
      await setImmediate()
      return limiter.take(limit, key, points)
    }
    const rates = createRateLimits({ limiter: { take }, limits, maxCost: 1 })
    return {
      asked,
      request: async (subject: string) => rates.request({ principal: principal(subject), address: null }),
    }
  }

  it('is waited for, and refuses whom it would refuse at once', async () => {
    const { request } = slow()
    await request('usr_ada')
    await request('usr_ada')
    await expect(request('usr_ada')).rejects.toMatchObject({ code: 'RATE_LIMITED', message: /by this user/ })
    await request('usr_ben')
    await expect(request('usr_ben')).rejects.toMatchObject({ code: 'RATE_LIMITED', message: /by this tenant/ })
  })

  it('is not asked for a tenant by a user who is refused', async () => {
    const { request, asked } = slow()
    for (let each = 0; each < 3; each++) await request('usr_ada').catch(() => undefined)
    expect(asked).toEqual([
      'user.requests usr_ada',
      'tenant.requests acme',
      'user.requests usr_ada',
      'tenant.requests acme',
      'user.requests usr_ada',
    ])
  })
})

it('[P15] nobody, from an address that is not known, is counted with others like them', () => {
  const limits = { ...none, anonymous: { ...none.anonymous, requests: 1 } }
  const rates = createRateLimits({ limiter: createMemoryLimiter(Date.now), limits, maxCost: 1 })
  const request = (address: string | null) => () => rates.request({ principal: anonymous, address })
  expect(request(null)()).toBeUndefined()
  expect(request('unknown')).toThrow(expect.objectContaining({ code: 'RATE_LIMITED' }))
  expect(request('192.0.2.1')()).toBeUndefined()
})
