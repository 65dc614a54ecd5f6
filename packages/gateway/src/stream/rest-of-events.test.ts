import { afterEach, describe, expect, it } from 'vitest'
import { openStream, startNotices } from './stream-fixture.ts'

let system: Awaited<ReturnType<typeof startNotices>>
afterEach(() => system[Symbol.asyncDispose]())

const notice = { id: 'n1', userId: 'usr_ada', text: 'hello', must: { value: 1 }, secret: 'hush' }
async function opened(query: string, claims: object = {}) {
  system = await startNotices()
  const stream = await openStream(system, query, { token: await system.token({ ...claims }) })
  await expect.poll(() => system.notices.listeners).toBe(1)
  return stream
}

describe('an event whose selection reaches another subgraph', () => {
  it('is asked about there each time, for its caller, and shown whole', async () => {
    const stream = await opened(
      'subscription ($id: ID) { notice(id: $id) { name: text ...F } } fragment F on Notice { likes liker }',
    )
    for (const text of ['one', 'two']) {
      system.notices.say({ ...notice, text })
      expect(await stream.next()).toEqual({
        event: 'next',
        data: {
          data: { notice: { name: text, likes: 3, liker: 'usr_ada' } },
          extensions: { txn: expect.any(String) },
        },
      })
    }
    expect(system.liked).toEqual(['usr_ada', 'usr_ada'])
    expect(system.logs['more']?.join('')).not.toContain('refused')
  })

  it('is shown as the type that it is of, and asked about where that is elsewhere', async () => {
    const stream = await opened('subscription { anything { __typename ...on Notice { likes } ...on Other { at } } }')
    for (const [event, shown] of [
      [{ at: 1 }, { __typename: 'Other', at: 1 }],
      [notice, { __typename: 'Notice', likes: 3 }],
      [null, null],
    ] as const) {
      system.notices.say(event)
      expect((await stream.next()).data.data).toEqual({ anything: shown })
    }
  })

  it('is shown without what cannot be had there, and the stream goes on', async () => {
    const stream = await opened('subscription { notice { text likes } }')
    system.notices.say(notice)
    expect((await stream.next()).data.data).toEqual({ notice: { text: 'hello', likes: 3 } })
    system.more.likes = () => Promise.reject(new Error('of the subgraph'))
    system.notices.say(notice)
    expect((await stream.next()).data).toMatchObject({
      data: { notice: { text: 'hello', likes: null } },
      errors: [{ path: ['notice', 'likes'], extensions: { code: 'INTERNAL' } }],
    })
    await system.stop('more')
    for (const text of ['one', 'two']) {
      system.notices.say({ ...notice, text })
      expect((await stream.next()).data).toMatchObject({
        data: { notice: { text, likes: null } },
        errors: [{ path: ['notice', 'likes'], extensions: { code: 'SUBGRAPH_UNAVAILABLE' } }],
      })
    }
    expect(system.notices.listeners).toBe(1)
  })

  it('[P6] has null, with the reason, where its caller may not see what is there', async () => {
    const stream = await opened('subscription { notice { text likes hidden } }', { scope: 'some' })
    system.notices.say(notice)
    expect((await stream.next()).data).toMatchObject({
      data: { notice: { text: 'hello', likes: 3, hidden: null } },
      errors: [{ path: ['notice', 'hidden'], extensions: { code: 'UNAUTHORIZED_FIELD_OR_TYPE' } }],
    })
    // Nor was it asked for, which the subgraph would have refused, too.
    expect(system.logs['more']?.join('')).not.toContain('field refused')
    const allowed = await openStream(system, 'subscription { notice { hidden } }', {
      token: await system.token({ scope: 'notices:hidden' }),
    })
    await expect.poll(() => system.notices.listeners).toBe(2)
    system.notices.say(notice)
    expect((await allowed.next()).data.data).toEqual({ notice: { hidden: 'hidden' } })
  })

  it('[P11] is not waited for when its caller is ended', async () => {
    const stream = await opened('subscription { notice { text likes } }')
    let asked = 0
    const held = Promise.withResolvers<number>()
    system.more.likes = () => (asked++, held.promise)
    system.notices.say(notice)
    await expect.poll(() => asked).toBe(1)
    await system.authority.revoke({ kind: 'subject', issuer: null, subject: 'usr_ada' }, 'OPERATOR')
    expect(await stream.rest()).toMatchObject([
      { data: { errors: [{ extensions: { code: 'SESSION_ENDED' } }] } },
      { event: 'complete' },
    ])
    expect(stream.seen.some(({ data }) => data.data)).toBe(false)
    // It was called back, and not given up after a while.
    expect(system.logs['gateway']?.join('')).not.toContain('SUBGRAPH_TIMEOUT')
    held.resolve(3)
    await expect.poll(() => system.notices.listeners).toBe(0)
  })

  it('is asked about one after the other: the next one waits', async () => {
    const stream = await opened('subscription { notice { text likes } }')
    let asked = 0
    const held = Promise.withResolvers<number>()
    system.more.likes = () => (asked++, held.promise)
    for (const text of ['one', 'two', 'three']) system.notices.say({ ...notice, text })
    await expect.poll(() => asked).toBe(1)
    expect((await system.ask('{ ping }', { token: await system.token() })).body.data).toEqual({ ping: 'pong' })
    expect(asked).toBe(1)
    held.resolve(4)
    for (const text of ['one', 'two', 'three'])
      expect((await stream.next()).data.data).toEqual({ notice: { text, likes: 4 } })
    expect(asked).toBe(3)
  })
})
