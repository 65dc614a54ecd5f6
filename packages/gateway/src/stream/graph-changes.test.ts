import type { FieldRule } from '@behalf/identity'
import { afterEach, describe, expect, it } from 'vitest'
import { rule } from '../fixtures/rule.ts'
import { openStream, startNotices } from './stream-fixture.ts'

let system: Awaited<ReturnType<typeof startNotices>>
afterEach(() => system[Symbol.asyncDispose]())
const start = async () => (system = await startNotices())

const notice = { id: 'n1', userId: 'usr_ada', text: 'hello', must: { value: 1 }, secret: 'hush' }
async function listening(count: number): Promise<void> {
  await expect.poll(() => system.notices.listeners).toBe(count)
}
const changed = [
  {
    event: 'next',
    data: { errors: [{ extensions: { code: 'GRAPH_CHANGED' } }], extensions: { txn: expect.any(String) } },
  },
  { event: 'complete', data: {} },
]

/** Changes what a rule says, in the file, and has it served. */
async function changeRule(coordinate: string, change: Partial<FieldRule>) {
  system.graphFile.change(({ rules }) => ({
    rules: { ...rules, [coordinate]: rule({ ...rules[coordinate], ...change }) },
  }))
  expect((await system.reload()).problem).toBeNull()
}
async function remove(field: RegExp) {
  system.graphFile.change(({ supergraph }) => ({ supergraph: supergraph.replace(field, '') }))
  expect((await system.reload()).problem).toBeNull()
}
const needs = (scope: string) => ({ authenticated: true, scopes: [[scope]] })

describe('a stream, when another graph is served', () => {
  it('goes on with what it was authorized for, and what is new is not of it', async () => {
    const { notices, token } = await start()
    const stream = await openStream(
      system,
      'subscription { notice { id ...F } } fragment F on Notice { text secret }',
      {
        token: await token({ scope: 'some' }),
      },
    )
    await listening(1)
    await changeRule('Notice.secret', { authenticated: false, scopes: [] })
    await changeRule('Notice.resolvedFor', needs('nobody:has'))
    await remove(/^ {2}likes: Int.*$/m)
    notices.say(notice)
    const { data } = await stream.next()
    expect(data).toMatchObject({
      data: { notice: { id: 'n1', text: 'hello', secret: null } },
      errors: [{ extensions: { code: 'UNAUTHORIZED_FIELD_OR_TYPE' } }],
    })
  })

  it.each<[string, () => Promise<void>]>([
    ['[P6] its rule asks for more', () => changeRule('Notice.text', needs('nobody:has'))],
    ['[P6] the rule of its type asks for more', () => changeRule('Notice', needs('nobody:has'))],
    ['[P6] the rule of its root field asks for more', () => changeRule('Subscription.notice', needs('nobody:has'))],
    ['[P8] an agent may not read it any more', () => changeRule('Notice.text', { agent: 'DENY' })],
    ['its field is gone', () => remove(/^ {2}text: String.*$/m)],
    ['its root field is gone', () => remove(/^ {2}notice\(.*$/m)],
  ])('is told why it ends, where %s; another goes on', async (_why, change) => {
    const { notices, token } = await start()
    // A program's: what people may see is not what agents may.
    const asker = await token({ scope: 'some', client_id: 'some-program' })
    const stream = await openStream(system, 'subscription { notice { id } }', { token: asker })
    const ended = await openStream(system, 'subscription { notice { id ...F } } fragment F on Notice { name: text }', {
      token: asker,
    })
    const other = await openStream(system, 'subscription { anything { ...on Other { at } } }', { token: asker })
    await listening(3)
    await change()
    expect(await ended.rest()).toMatchObject(changed)
    expect(other.seen).toEqual([])
    notices.say({ at: 1 })
    expect((await other.next()).data.data).toEqual({ anything: { at: 1 } })
    await stream[Symbol.asyncDispose]()
  })

  it.each([true, false])(
    'is asked about, too, where it was about to begin (its field is denied: %s)',
    async (isDenied) => {
      const decision = Promise.withResolvers<boolean>()
      let asked = 0
      const gate = () => (asked++, decision.promise)
      const { notices, token } = (system = await startNotices({ policies: { gate } }))
      await changeRule('Notice.text', { policies: [['gate']] })
      const stream = await openStream(system, 'subscription { notice { id text } }', {
        token: await token({ scope: 'some' }),
      })
      await expect.poll(() => asked).toBe(1)
      await changeRule('Notice.text', { policies: [], ...(isDenied && needs('nobody:has')) })
      decision.resolve(true)
      if (!isDenied) await listening(1)
      notices.say(notice)
      const first = { event: 'next', data: { data: { notice: { id: 'n1', text: 'hello' } } } }
      expect(await stream.next()).toMatchObject(isDenied ? changed[0]! : first)
    },
  )

  it('is not counted once more', async () => {
    const { token, authority } = await start()
    const stream = await openStream(system, 'subscription { notice { id } }', { token: await token({ scope: 'some' }) })
    await listening(1)
    const taken: string[] = []
    const take = authority.limiter.take
    Object.assign(authority.limiter, {
      take: (...[limit, key, points]: Parameters<typeof take>) => {
        taken.push(limit.name)
        return take(limit, key, points)
      },
    })
    await changeRule('Notice.must', needs('nobody:has'))
    expect(taken).toEqual([])
    expect((await system.ask('{ ping }', { token: await token() })).status).toBe(200)
    expect(taken).toContain('user.cost')
    expect(stream.seen).toEqual([])
  })
})
