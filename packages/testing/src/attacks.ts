import { contextTokenHeader, type ErrorCode } from '@behalf/identity'
import { type RawAnswer, send } from './send.ts'
import { headersOf, readAnswer, type TestCaller } from './test-caller.ts'

/** What is attacked: a subgraph, and operations that a caller may run there. */
export interface Target {
  /** Of `POST /graphql`. */
  readonly url: string
  readonly caller: TestCaller
  readonly operations: readonly Operation[]
}

export interface Operation {
  readonly query: string
  readonly variables?: Readonly<Record<string, unknown>>
}

/** A request that has to be refused with `code`, and nothing executed. */
export interface Attack {
  readonly name: string
  readonly code: ErrorCode
  readonly perform: (target: Target, operation: Operation) => Promise<RawAnswer>
  /** Mutations only. */
  readonly onMutations?: boolean
}

/** Every way in which a request differs from what the gateway would have sent. */
export const attacks: readonly Attack[] = [
  {
    name: 'a request without a context token',
    code: 'CONTEXT_MISSING',
    perform: ({ url, caller }, { query, variables }) => {
      const { body } = caller.signed(query, variables)
      return send(url, { headers: headersOf(body), body })
    },
  },
  {
    name: 'a request with two context tokens',
    code: 'CONTEXT_MISSING',
    perform: ({ url, caller }, { query, variables }) => {
      const { body, token } = caller.signed(query, variables)
      return send(url, { headers: headersOf(body, token, token), body })
    },
  },
  {
    name: 'a forged context token',
    code: 'CONTEXT_SIGNATURE',
    perform: ({ url, caller }, { query, variables }) => send(url, caller.signed(query, variables, { forged: true })),
  },
  {
    name: 'a context token whose subject was changed',
    code: 'CONTEXT_SIGNATURE',
    perform: ({ url, caller }, { query, variables }) => {
      const { body, token } = caller.signed(query, variables)
      const [header = '', payload = '', signature = ''] = token.split('.')
      const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as object
      const changed = Buffer.from(JSON.stringify({ ...claims, sub: 'usr_other' })).toString('base64url')
      return send(url, { headers: headersOf(body, `${header}.${changed}.${signature}`), body })
    },
  },
  {
    name: 'a context token without a signature',
    code: 'CONTEXT_MALFORMED',
    perform: ({ url, caller }, { query, variables }) => {
      const { body, token } = caller.signed(query, variables)
      const none = Buffer.from(JSON.stringify({ alg: 'none', typ: 'txntoken+jwt' })).toString('base64url')
      return send(url, { headers: headersOf(body, `${none}.${token.split('.')[1]}.`), body })
    },
  },
  {
    name: 'an expired context token',
    code: 'CONTEXT_EXPIRED',
    perform: ({ url, caller }, { query, variables }) => send(url, caller.signed(query, variables, { ageMs: 120_000 })),
  },
  {
    name: 'a context token for another receiver',
    code: 'CONTEXT_WRONG_RECEIVER',
    perform: ({ url, caller }, { query, variables }) => send(url, caller.signed(query, variables, { to: 'elsewhere' })),
  },
  {
    name: 'an altered body',
    code: 'CONTEXT_WRONG_REQUEST',
    perform: ({ url, caller }, { query, variables }) => {
      const { body, token } = caller.signed(query, variables)
      const altered = new Uint8Array([...body, 0x20])
      return send(url, { headers: headersOf(altered, token), body: altered })
    },
  },
  {
    name: 'a query string',
    code: 'CONTEXT_WRONG_REQUEST',
    perform: ({ url, caller }, { query, variables }) => send(`${url}?query=x`, caller.signed(query, variables)),
  },
  {
    name: 'another method',
    code: 'CONTEXT_WRONG_REQUEST',
    perform: ({ url, caller }, { query, variables }) =>
      send(url, { ...caller.signed(query, variables), method: 'PUT' }),
  },
  {
    name: 'a content encoding',
    code: 'CONTEXT_WRONG_REQUEST',
    perform: ({ url, caller }, { query, variables }) => {
      const { body, headers } = caller.signed(query, variables)
      return send(url, { headers: [...headers, 'Content-Encoding', 'identity'], body })
    },
  },
  {
    name: "a query's context token in Authorization",
    code: 'CONTEXT_MISSING',
    perform: ({ url, caller }, { query, variables }) => {
      const { body, headers, token } = caller.signed(query, variables)
      const at = headers.indexOf(contextTokenHeader)
      return send(url, { headers: headers.toSpliced(at, 2, 'Authorization', `Bearer ${token}`), body })
    },
  },
  {
    name: 'the same mutation again',
    code: 'CONTEXT_REPLAYED',
    onMutations: true,
    perform: async ({ url, caller }, { query, variables }) => {
      const request = caller.signed(query, variables)
      await send(url, request)
      return send(url, request)
    },
  },
]

/**
 * Performs an attack, after its twin: the same request as it should be is answered.
 *
 * @throws {Error} where the twin fails, or the attack is not refused with its code.
 */
export async function withstand(target: Target, attack: Attack): Promise<void> {
  for (const operation of target.operations) {
    if (attack.onMutations && !/^\s*mutation\b/.test(operation.query)) continue
    const twin = await target.caller.run(operation.query, operation.variables)
    if (twin.status !== 200 || twin.errors.length > 0) {
      throw new Error(`The request itself is not answered: ${JSON.stringify(twin)}`)
    }
    const answer = await attack.perform(target, operation)
    const { status, errors, data } = readAnswer(answer)
    if (status !== 401 || errors[0]?.extensions.code !== attack.code || data !== null) {
      throw new Error(`${attack.name} should be refused with 401 ${attack.code}, and got ${status} ${answer.body}`)
    }
  }
}

/**
 * Sees that what `owner` is shown is not shown to others by the same operation.
 *
 * @param shows - a text in the owner's answer, such as the id of a row.
 */
export async function keepPrivate(
  owner: TestCaller,
  others: readonly TestCaller[],
  { query, variables, shows }: Operation & { readonly shows: string },
): Promise<void> {
  const own = await owner.run(query, variables)
  if (!JSON.stringify(own.data).includes(shows)) {
    throw new Error(`${owner.subject} should be shown ${shows}: ${JSON.stringify(own)}`)
  }
  for (const other of others) {
    const foreign = await other.run(query, variables)
    if (JSON.stringify(foreign.data).includes(shows))
      throw new Error(`${other.subject} is shown ${shows}, which is not theirs.`)
  }
}
