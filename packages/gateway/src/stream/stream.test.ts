import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { openStream, type Seen, startNotices } from './stream-fixture.ts'

let system: Awaited<ReturnType<typeof startNotices>>
afterEach(() => system?.[Symbol.asyncDispose]())

const start = async (change: Parameters<typeof startNotices>[0] = {}) => (system = await startNotices(change))
async function heard() {
  await expect.poll(() => system.notices.listeners).toBeGreaterThan(0)
}
async function silent() {
  await expect.poll(() => system.notices.listeners).toBe(0)
}
const notice = { id: 'n1', userId: 'usr_ada', text: 'hello', secret: 's', must: { value: 1 } }
const codes = ({ data }: Seen) => data.errors?.map(({ extensions }) => extensions.code)
const complete = { event: 'complete', data: {} }
const refusal = (code: string) => [
  { event: 'next', data: { errors: [{ extensions: { code } }], extensions: { txn: expect.any(String) } } },
  complete,
]

describe('a stream', () => {
  it('gives what was asked for, one event after the other, until its client goes', async () => {
    const { notices, token, resolved } = await start()
    const stream = await openStream(system, 'subscription { notice { name: text resolvedFor } }', {
      token: await token(),
    })
    expect(stream.status).toBe(200)
    expect(stream.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
    await heard()
    for (const text of ['one', 'two']) {
      notices.say({ ...notice, text })
      expect(await stream.next()).toMatchObject({
        event: 'next',
        data: { data: { notice: { name: text, resolvedFor: 'usr_ada' } }, extensions: { txn: expect.any(String) } },
      })
    }
    expect(resolved).toEqual(['usr_ada', 'usr_ada'])
    await stream[Symbol.asyncDispose]()
    await silent()
  })

  it('[P14] is one event of the audit, with what its subgraph was told', async () => {
    const { authority, token } = await start()
    await using stream = await openStream(system, 'subscription { notice { id } }', { token: await token() })
    expect(stream.status).toBe(200)
    await heard()
    await expect.poll(() => authority.events).toHaveLength(1)
    expect(authority.events).toMatchObject([
      {
        what: 'request',
        outcome: 'OK',
        detail: { operation: 'subscription', hops: [{ to: 'notices', operation: 'subscription', facts: {} }] },
      },
    ])
  })

  it('is served to a GET, with its operation in the URL', async () => {
    const { url, notices } = await start()
    const path = new URL('/graphql/stream', url)
    const query = 'subscription($i: ID) { notice(id: $i) { id text } }'
    path.search = new URLSearchParams({ query, variables: '{"i":"1"}' }).toString()
    const response = await fetch(path)
    expect(response.status).toBe(200)
    await heard()
    notices.say(null)
    const { value } = await response.body!.getReader().read()
    expect(new TextDecoder().decode(value)).toContain('{"data":{"notice":null}')
    await response.body?.cancel().catch(() => undefined)
  })

  it.each([
    ['no subscription', '{ ping }', 'BAD_REQUEST'],
    ['what does not parse', 'subscription {', 'GRAPHQL_PARSE_FAILED'],
    ['what is not in the graph', 'subscription { nothing }', 'GRAPHQL_VALIDATION_FAILED'],
    ['two fields', 'subscription { notice { id } anything { __typename } }', 'GRAPHQL_VALIDATION_FAILED'],
    ['what is skipped', 'subscription { notice @skip(if: true) { id } }', 'SUBSCRIPTION_NOT_SERVED'],
    [
      'too much',
      `subscription { anything { ...on Other { ${'deep { '.repeat(16)} at ${'} '.repeat(16)} } } }`,
      'OPERATION_TOO_COMPLEX',
    ],
  ])('is refused before it begins: %s', async (_what, query, code) => {
    await start()
    const stream = await openStream(system, query, { token: await system.token() })
    expect(await stream.rest()).toMatchObject(refusal(code))
    expect(system.notices.listeners).toBe(0)
  })

  it('is not served at /graphql', async () => {
    await start()
    expect((await system.ask('subscription { notice { id } }')).body).toMatchObject({
      errors: [{ extensions: { code: 'BAD_REQUEST' } }],
    })
  })

  it('shows unions, and null as far as it has to go', async () => {
    const { notices, token } = await start()
    const query = 'subscription { anything { ...on Notice { id must { value } } ...on Other { at deep { at } } } }'
    const stream = await openStream(system, query, { token: await token() })
    await heard()
    notices.say({ at: 1, deep: { at: 2 } })
    notices.say({ ...notice, must: { value: null } })
    expect((await stream.next()).data).toMatchObject({ data: { anything: { at: 1, deep: { at: 2 } } } })
    const { data } = await stream.next()
    expect(data.data).toEqual({ anything: { id: 'n1', must: null } })
    expect(data.errors).toMatchObject([{ path: ['anything', 'must', 'value'], extensions: { code: 'INTERNAL' } }])
    await stream[Symbol.asyncDispose]()
  })
})

describe('who may listen', () => {
  const mine = 'subscription { mine { id text } }'

  it('[P6] nobody without the scope, and nothing is listened to for them', async () => {
    const { notices } = await start()
    for (const [token, code] of [
      [null, 'UNAUTHENTICATED'],
      [await system.token({ scope: 'other' }), 'UNAUTHORIZED_FIELD_OR_TYPE'],
      [await system.token({ scope: 'notices:read', client_id: 'some-program' }), 'AGENT_DENIED'],
    ] as const) {
      const stream = await openStream(system, mine, { token })
      expect(await stream.rest()).toMatchObject([
        { event: 'next', data: { data: { mine: null }, errors: [{ path: ['mine'], extensions: { code } }] } },
        complete,
      ])
    }
    expect(notices.listeners).toBe(0)
    // The subgraph would have refused it, too: it was not asked.
    expect(system.logs['notices']?.join('')).not.toContain('field refused')
    const stream = await openStream(system, mine, { token: await system.token({ scope: 'notices:read' }) })
    await heard()
    notices.say(notice)
    expect((await stream.next()).data.data).toEqual({ mine: { id: 'n1', text: 'hello' } })
    await stream[Symbol.asyncDispose]()
  })

  it('[P6] a field is withheld from every event, and the rest is shown', async () => {
    const { notices } = await start()
    const query = 'subscription { notice { id secret } }'
    const [with_, without] = [await system.token({ scope: 'notices:secret' }), await system.token({ scope: 'other' })]
    const streams = [
      await openStream(system, query, { token: with_ }),
      await openStream(system, query, { token: without }),
    ] as const
    await expect.poll(() => notices.listeners).toBe(2)
    for (const _ of [1, 2]) {
      notices.say(notice)
      expect((await streams[0].next()).data.data).toEqual({ notice: { id: 'n1', secret: 's' } })
      const event = await streams[1].next()
      expect(event.data.data).toEqual({ notice: { id: 'n1', secret: null } })
      expect(codes(event)).toEqual(['UNAUTHORIZED_FIELD_OR_TYPE'])
    }
    for (const stream of streams) await stream[Symbol.asyncDispose]()
  })

  it("[P7] an event about somebody else's object is null", async () => {
    const { notices, token } = await start()
    const stream = await openStream(system, 'subscription { notice { id } }', { token: await token() })
    await heard()
    notices.say({ ...notice, userId: 'usr_ben' })
    notices.say(notice)
    expect((await stream.next()).data.data).toEqual({ notice: null })
    expect((await stream.next()).data.data).toEqual({ notice: { id: 'n1' } })
    await stream[Symbol.asyncDispose]()
  })

  it('[P1] a credential that does not hold is refused as at /graphql', async () => {
    await start()
    const stream = await openStream(system, mine, { token: 'nonsense' })
    expect(stream.status).toBe(401)
    expect(stream.headers.get('www-authenticate')).toContain('invalid_token')
    expect(JSON.parse(await stream.text())).toMatchObject({ errors: [{ extensions: { code: 'CREDENTIAL_INVALID' } }] })
  })

  it('[P15] so many at a time, and as many again when one has ended', async () => {
    const { token } = await start({ limits: { streams: { user: 2 } } })
    const query = 'subscription { notice { id } }'
    const [first, second] = [
      await openStream(system, query, { token: await token() }),
      await openStream(system, query, { token: await token() }),
    ]
    const third = await openStream(system, query, { token: await token() })
    expect(third.status).toBe(429)
    expect(JSON.parse(await third.text())).toMatchObject({ errors: [{ extensions: { code: 'RATE_LIMITED' } }] })
    // Ben is not ada.
    const ben = await openStream(system, query, { token: await token({ sub: 'ben' }) })
    expect(ben.status).toBe(200)
    await first[Symbol.asyncDispose]()
    await expect.poll(async () => (await openStream(system, query, { token: await token() })).status).toBe(200)
    await second[Symbol.asyncDispose]()
  })
})

describe('how a stream ends', () => {
  const query = 'subscription { notice { id } }'
  async function opened(change: Parameters<typeof startNotices>[0] = {}, claims: object = {}) {
    await start(change)
    const stream = await openStream(system, query, { token: await system.token({ ...claims }) })
    await heard()
    system.notices.say(notice)
    expect((await stream.next()).data.data).toEqual({ notice: { id: 'n1' } })
    return stream
  }

  it('with its access token', async () => {
    const exp = Math.floor(Date.now() / 1000) + 8
    const stream = await opened({}, { exp })
    expect(await stream.rest()).toMatchObject(refusal('STREAM_EXPIRED'))
    expect(Date.now() - exp * 1000).toBeLessThan(1500)
    await silent()
  })

  it('[P11] with a revocation of its user, and no other does', async () => {
    const stream = await opened()
    const ben = await openStream(system, query, { token: await system.token({ sub: 'ben' }) })
    await expect.poll(() => system.notices.listeners).toBe(2)
    await system.authority.revoke({ kind: 'subject', issuer: null, subject: 'usr_ada' }, 'OPERATOR')
    expect(await stream.rest()).toMatchObject(refusal('SESSION_ENDED'))
    await expect.poll(() => system.notices.listeners).toBe(1)
    system.notices.say({ ...notice, userId: 'usr_ben' })
    expect((await ben.next()).data.data).toEqual({ notice: { id: 'n1' } })
    await ben[Symbol.asyncDispose]()
    const { events } = system.authority
    expect(
      events.filter(({ what }) => what === 'request').map(({ subject, outcome }) => [subject, outcome]),
    ).toContainEqual(['usr_ada', 'SESSION_ENDED'])
  })

  it('[P11] while nobody can tell who was ended', async () => {
    const stream = await opened()
    system.authority.age = 4900
    await delay(600)
    system.notices.say(notice)
    expect((await stream.next()).data.data).toEqual({ notice: { id: 'n1' } })
    system.authority.age = 5001
    expect(await stream.rest()).toMatchObject(refusal('REVOCATIONS_UNKNOWN'))
    expect((await openStream(system, query, { token: await system.token() })).status).toBe(503)
    expect((await openStream(system, query)).status).toBe(200)
  })

  it('with its subgraph', async () => {
    const stream = await opened()
    await system.stop('notices')
    expect(await stream.rest()).toMatchObject([
      { event: 'next', data: { errors: [{ extensions: { code: 'UNAVAILABLE' } }] } },
      complete,
    ])
    const another = await openStream(system, query, { token: await system.token() })
    expect(await another.rest()).toMatchObject(refusal('SUBGRAPH_UNAVAILABLE'))
  })

  it('with its gateway, which waits for nobody', async () => {
    const stream = await opened()
    const begun = performance.now()
    await system.close()
    expect(performance.now() - begun).toBeLessThan(2000)
    expect(await stream.rest()).toMatchObject(refusal('UNAVAILABLE'))
    await silent()
  })

  it('when it is not read, with no more kept for it than fits between', async () => {
    await start({ limits: { streams: { stallMs: 300 } } })
    const stream = await openStream(system, 'subscription { notice { text } }', { token: await system.token() })
    await heard()
    const text = 'x'.repeat(1024 * 1024)
    for (let count = 0; count < 40; count++) system.notices.say({ ...notice, text })
    await expect.poll(() => system.notices.listeners, { timeout: 10_000 }).toBe(0)
    const rest = await stream.rest()
    expect(rest.length).toBeLessThan(30)
    expect(rest.slice(-2)).toMatchObject(refusal('STREAM_TOO_SLOW'))
  })

  it('not by itself: it says that it is there', async () => {
    await start({ limits: { streams: { heartbeatMs: 50 } } })
    const stream = await openStream(system, query, { token: await system.token() })
    await heard()
    await delay(300)
    await system.authority.revoke({ kind: 'subject', issuer: null, subject: 'usr_ada' }, 'OPERATOR')
    expect(((await stream.text()).match(/^:$/gm) ?? []).length).toBeGreaterThan(2)
  })
})
