import { afterEach, describe, expect, it } from 'vitest'
import { createSubgraph, type ListeningSubgraph } from './create-subgraph.ts'
import {
  ada,
  agentOf,
  ben,
  contextKeys,
  encode,
  headersOf,
  links,
  logBook,
  principal,
  receiver,
  send,
  sign,
  trustDomain,
} from './fixtures.ts'

const typeDefs = `${links}
  type Query { ping: String }
  type Subscription {
    note: Note @authenticated
    counted(upTo: Int!): Int
    scoped: Int @requiresScopes(scopes: [["notes:read"]]) @agent(access: DENY)
    broken: Int
  }
  type Note @owner(field: "userId") { id: ID!, userId: ID! }
`

let listening: ListeningSubgraph
let subscribed: string[]
let ended: string[]
afterEach(() => listening?.close())

async function start(limits = {}, log = logBook()) {
  subscribed = []
  ended = []
  /** Gives `values`, then waits until nobody listens. */
  const source = (name: string, values: readonly unknown[]) =>
    async function* (
      _root: unknown,
      _args: unknown,
      { signal, identity }: { signal: AbortSignal; identity: { subject: string } },
    ) {
      subscribed.push(`${name} ${identity.subject}`)
      try {
        yield* values
        if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve))
      } finally {
        ended.push(name)
      }
    }
  const subgraph = createSubgraph({
    name: receiver,
    typeDefs,
    contextKeys,
    trustDomain,
    limits,
    log,
    resolvers: {
      Subscription: {
        note: {
          subscribe: source('note', [
            { id: 'a', userId: 'usr_ada' },
            { id: 'b', userId: 'usr_ben' },
          ]),
        },
        scoped: { subscribe: source('scoped', [1]) },
        counted: {
          async *subscribe(_root: unknown, { upTo }: { upTo: number }) {
            for (let count = 1; count <= upTo; count++) yield count
          },
        },
        broken: {
          async *subscribe() {
            yield 1
            throw new Error('a secret')
          },
        },
      },
    },
  })
  listening = await subgraph.listen({ port: 0 })
}

const inAnHour = () => Math.floor(Date.now() / 1000) + 3600

async function open(query: string, signing: Parameters<typeof sign>[1] = {}) {
  const body = encode({ query })
  const gone = new AbortController()
  const headers = headersOf(body, sign(body, { operation: 'subscription', until: inAnHour(), ...signing }))
  const response = await fetch(listening.url, {
    method: 'POST',
    headers: headers.flatMap((name, at) =>
      at % 2 === 0 && name !== 'Content-Length' ? [[name, headers[at + 1] ?? ''] as [string, string]] : [],
    ),
    body,
    signal: gone.signal,
  })
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  return {
    status: response.status,
    async until(found: string) {
      while (!text.includes(found)) {
        const { value, done } = await reader.read()
        if (done) throw new Error(`ended without ${found}: ${text}`)
        text += value
      }
      return text
    },
    async rest() {
      for (let next = await reader.read(); !next.done; next = await reader.read()) text += next.value
      return text
    },
    leave: () => gone.abort(),
  }
}
const next = (value: object) => `event: next\ndata: ${JSON.stringify(value)}\n\n`
const complete = 'event: complete\ndata:\n\n'

describe('a subscription', () => {
  it('is one event after the other, and then complete', async () => {
    await start()
    const stream = await open('subscription { counted(upTo: 2) }')
    expect(await stream.rest()).toBe(next({ data: { counted: 1 } }) + next({ data: { counted: 2 } }) + complete)
  })

  it('[P4] needs a token for a subscription, which is none for anything else', async () => {
    await start()
    const subscription = 'subscription { counted(upTo: 1) }'
    const body = encode({ query: subscription })
    const ofQuery = sign(body, { operation: 'query' })
    expect(await send(listening.url, { headers: headersOf(body, ofQuery), body })).toMatchObject({
      status: 401,
      text: expect.stringContaining('CONTEXT_WRONG_OPERATION'),
    })
    const query = await open('{ ping }')
    expect([query.status, await query.rest()]).toEqual([401, expect.stringContaining('CONTEXT_WRONG_OPERATION')])
    expect((await open(subscription)).status).toBe(200)
  })

  it('[P4] ends by itself when its token says', async () => {
    await start()
    const stream = await open('subscription { note { id } }', { until: Math.floor(Date.now() / 1000) + 1 })
    expect(await stream.rest()).toMatch(/STREAM_EXPIRED.*\n\nevent: complete\ndata:\n\n$/)
    expect(ended).toEqual(['note'])
  })

  it('[P6] is listened to for nobody who may not', async () => {
    await start()
    const query = 'subscription { scoped }'
    const reader = principal('usr_ada', { scopes: ['notes:read'] })
    for (const [as, code] of [
      [ada, 'UNAUTHORIZED_FIELD_OR_TYPE'],
      [agentOf(reader), 'AGENT_DENIED'],
    ] as const) {
      const text = await (await open(query, { as })).rest()
      expect(text).toContain(`"extensions":{"code":"${code}"`)
      expect(text).toMatch(/event: complete\ndata:\n\n$/)
    }
    expect(subscribed).toEqual([])
    const stream = await open(query, { as: reader })
    expect(await stream.until('\n\n')).toBe(next({ data: { scoped: 1 } }))
    expect(subscribed).toEqual(['scoped usr_ada'])
  })

  it("[P7] shows of each event what is the listener's", async () => {
    await start()
    const query = 'subscription { note { id } }'
    const [mine, none] = [next({ data: { note: { id: 'a' } } }), next({ data: { note: null } })]
    expect(await (await open(query)).until('null')).toBe(mine + none)
    expect(await (await open(query, { as: ben })).until('"b"')).toBe(none + next({ data: { note: { id: 'b' } } }))
  })

  it('is no more when its listener has gone', async () => {
    await start()
    const stream = await open('subscription { note { id } }')
    await stream.until('null')
    stream.leave()
    await expect.poll(() => ended).toEqual(['note'])
  })

  it('says that it ends when the subgraph does, which does not wait for it', async () => {
    await start()
    const stream = await open('subscription { note { id } }')
    await stream.until('null')
    await listening.close()
    expect(await stream.rest()).toMatch(/"code":"UNAVAILABLE".*\n\nevent: complete\ndata:\n\n$/)
  })

  it('tells nothing of what fails in it', async () => {
    const log = logBook()
    await start({}, log)
    const text = await (await open('subscription { broken }')).rest()
    expect(text).toMatch(/^event: next\ndata: \{"data":\{"broken":1\}\}\n\n.*"code":"INTERNAL".*/s)
    expect(text).not.toContain('secret')
    expect(JSON.stringify(log.lines)).toContain('a secret')
  })

  it('says that it is there while nothing happens', async () => {
    await start({ heartbeatMs: 20 })
    expect(await (await open('subscription { note { id } }')).until(':\n\n:\n\n')).toContain('null')
  })
})

it('does not start with a Subscription field that has no source', () => {
  expect(() => createSubgraph({ name: receiver, typeDefs, contextKeys, trustDomain, resolvers: {} })).toThrow(
    'Subscription.note has no `subscribe`',
  )
})
