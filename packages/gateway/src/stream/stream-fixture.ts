import { createParser, type EventSourceMessage } from 'eventsource-parser'
import { type ComposedGateway, type ComposedSubgraph, startComposedGateway } from '../fixtures/composed-gateway.ts'

/** An event of a stream: an execution result, or the word that there is no more. */
export interface Seen {
  readonly event: string
  readonly data: {
    readonly data?: unknown
    readonly errors?: readonly { message: string; path?: unknown[]; extensions: { code: string } }[]
    readonly extensions?: { readonly txn: string }
  }
}

/** One topic: whoever listens hears what is said from then on. */
function createTopic<T>() {
  const listeners = new Set<(value: T) => void>()
  return {
    get listeners() {
      return listeners.size
    },
    say: (value: T) => {
      for (const hear of listeners) hear(value)
    },
    async *hear(signal: AbortSignal): AsyncGenerator<T> {
      const heard: T[] = []
      let wake = () => {}
      const hear = (value: T) => {
        heard.push(value)
        wake()
      }
      const stop = () => wake()
      listeners.add(hear)
      signal.addEventListener('abort', stop)
      try {
        while (!signal.aborted) {
          yield* heard.splice(0)
          const woken = Promise.withResolvers<void>()
          wake = woken.resolve
          if (heard.length === 0 && !signal.aborted) await woken.promise
        }
      } finally {
        listeners.delete(hear)
        signal.removeEventListener('abort', stop)
      }
    },
  }
}

/** A stream, as a client without a library reads it. */
export interface ReadStream extends AsyncDisposable {
  readonly status: number
  readonly headers: Headers
  /** What came so far. */
  readonly seen: readonly Seen[]
  /** @throws if the stream ends before */
  next(): Promise<Seen>
  /** Every event up to the end. */
  rest(): Promise<Seen[]>
  text(): Promise<string>
}

export async function openStream(
  gateway: Pick<ComposedGateway, 'url'>,
  query: string,
  options: { token?: string | null; variables?: object; headers?: Record<string, string>; init?: RequestInit } = {},
): Promise<ReadStream> {
  const { token = null, variables, headers = {}, init } = options
  const gone = new AbortController()
  const response = await fetch(new URL('/graphql/stream', gateway.url), {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'text/event-stream',
      ...(token !== null && { authorization: `Bearer ${token}` }),
      ...headers,
    },
    body: JSON.stringify({ query, variables }),
    signal: gone.signal,
    ...init,
  })
  const seen: Seen[] = []
  async function* read(): AsyncGenerator<Seen> {
    const arrived: EventSourceMessage[] = []
    const parser = createParser({ onEvent: (event) => void arrived.push(event) })
    const utf8 = new TextDecoder()
    for await (const chunk of response.body ?? []) {
      parser.feed(utf8.decode(chunk, { stream: true }))
      for (const { event = '', data } of arrived.splice(0)) {
        const one: Seen = { event, data: data === '' ? {} : (JSON.parse(data) as Seen['data']) }
        seen.push(one)
        yield one
      }
    }
  }
  const events = read()
  return {
    status: response.status,
    headers: response.headers,
    seen,
    async next() {
      const { value, done } = await events.next()
      if (done) throw new Error('The stream has ended.')
      return value
    },
    async rest() {
      const left: Seen[] = []
      for await (const event of events) left.push(event)
      return left
    },
    text: () => response.text(),
    async [Symbol.asyncDispose]() {
      gone.abort()
    },
  }
}

/** A subgraph with events of every kind, and another one with more of the same entity. */
export async function startNotices(
  change: Partial<Omit<Parameters<typeof startComposedGateway>[0], 'subgraphs'>> = {},
) {
  const notices = createTopic<unknown>()
  const resolved: string[] = []
  const liked: string[] = []
  /** What the other subgraph does. */
  const more = { likes: (): number | Promise<number> => 3 }
  const subgraphs: Record<string, ComposedSubgraph> = {
    notices: {
      schema: `
        type Query { ping: String }
        type Subscription {
          notice(id: ID): Notice
          mine: Notice @authenticated @requiresScopes(scopes: [["notices:read"]]) @agent(access: DENY)
          anything: Anything
        }
        type Notice @key(fields: "id") @owner(field: "userId") {
          id: ID!
          text: String
          must: Must
          secret: String @requiresScopes(scopes: [["notices:secret"]])
          resolvedFor: String
        }
        type Must @owned(through: "parent") { value: Int! }
        type Other @public { at: Int!, deep: Other }
        union Anything = Notice | Other
      `,
      resolvers: {
        Query: { ping: () => 'pong' },
        Subscription: {
          notice: { subscribe: (_root, _args, { signal }) => notices.hear(signal) },
          mine: { subscribe: (_root, _args, { signal }) => notices.hear(signal) },
          anything: { subscribe: (_root, _args, { signal }) => notices.hear(signal) },
        },
        Anything: { __resolveType: (value: object) => ('at' in value ? 'Other' : 'Notice') },
        Notice: {
          resolvedFor: (_notice: unknown, _args: unknown, { identity }) => {
            resolved.push(identity.subject)
            return identity.subject
          },
        },
      },
    },
    more: {
      schema: `
        type Query { pong: String }
        type Notice @key(fields: "id") @owner(field: "userId") {
          id: ID!
          likes: Int
          liker: String
          hidden: String @requiresScopes(scopes: [["notices:hidden"]])
        }
      `,
      resolvers: {
        Query: { pong: () => 'ping' },
        Notice: {
          __resolveReference: (reference: object) => ({ ...reference, userId: 'usr_ada' }),
          likes: () => more.likes(),
          liker: (_notice: unknown, _args: unknown, { identity }) => {
            liked.push(identity.subject)
            return identity.subject
          },
          hidden: () => 'hidden',
        },
      },
    },
  }
  const gateway = await startComposedGateway({ subgraphs, ...change })
  return Object.assign(gateway, { notices, resolved, liked, more })
}
