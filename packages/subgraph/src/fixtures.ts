import {
  contextTokenHeader,
  createContextSigner,
  createContextVerifier,
  deepFreeze,
  deriveContextKeys,
  type ContextRequest,
  type Identity,
  type Principal,
  type Unbranded,
} from '@behalf/identity'
import { randomBytes, randomUUID } from 'node:crypto'
import { request } from 'node:http'

/** For this package's tests only. */
export const receiver = 'notes'
export const trustDomain = 'behalf.test'
const rootKey = randomBytes(32).toString('base64url')
export const contextKeys = deriveContextKeys(rootKey, receiver, [1])

export function principal(subject: string, claims: Partial<Unbranded<Principal>> = {}): Principal {
  const known: Unbranded<Principal> = {
    issuer: 'https://issuer.test',
    subject,
    tenant: 'acme',
    scopes: [],
    facts: {},
    client: 'test',
    session: null,
    authTime: null,
    acr: null,
    actor: null,
    issuedAt: null,
    expiresAt: null,
  }
  return deepFreeze({ ...known, ...claims }) as Principal
}

export const ada = principal('usr_ada')
export const ben = principal('usr_ben')

/** `who` as an agent acts for them, in one tool call. */
export const agentOf = (who: Principal, call = `call_${randomUUID()}`): Principal =>
  deepFreeze({
    ...who,
    actor: { agent: 'assistant', delegation: 'dlg_1', run: 'run_1', tool: 'tool', call, parent: null },
  })

interface Signing extends Partial<Omit<ContextRequest, 'body'>> {
  readonly as?: Principal
  readonly clock?: () => number
  readonly rootKey?: string
}

export function sign(
  body: Uint8Array,
  { as = ada, clock = Date.now, rootKey: key = rootKey, ...rest }: Signing = {},
): string {
  const signer = createContextSigner({ rootKey: key, trustDomain, clock })
  const facts = Object.keys(as.facts)
  return signer.sign(as, {
    to: receiver,
    body,
    operation: 'query',
    txn: randomUUID(),
    facts,
    scopes: as.scopes,
    ...rest,
  })
}

/** The identity a receiver makes of `who`, by the same path as over HTTP. */
export async function identityOf(who: Principal, rest: Signing = {}): Promise<Identity> {
  const body = new Uint8Array()
  const rawHeaders = [contextTokenHeader, sign(body, { as: who, ...rest }), 'content-length', '0']
  const head = createContextVerifier({ receiver, keys: contextKeys, trustDomain }).verifyHead({
    method: 'POST',
    url: '/graphql',
    rawHeaders,
  })
  const { identity } = await head
    .verifyBody(body)
    .verifyOperation(rest.operation ?? 'query', () => Promise.resolve(true))
  return identity
}

export const encode = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value))

export function headersOf(body: Uint8Array, ...tokens: string[]): string[] {
  const length = String(body.byteLength)
  return [
    'Content-Type',
    'application/json',
    'Content-Length',
    length,
    ...tokens.flatMap((token) => [contextTokenHeader, token]),
  ]
}

export interface Answer {
  readonly status: number
  readonly text: string
  readonly json: {
    readonly data?: Readonly<Record<string, unknown>> | null
    readonly errors?: readonly { message: string; path?: unknown[]; extensions: { code: string } }[]
  }
}

interface Sent {
  readonly method?: string
  readonly headers: readonly string[]
  readonly body?: Uint8Array | null
  readonly signal?: AbortSignal
}

/** Sends exactly this. With `body: null` the head only: the body never comes. */
export function send(
  url: string,
  { method = 'POST', headers, body = new Uint8Array(), signal }: Sent,
): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>()
  const { hostname, port, host } = new URL(url)
  const all = ['Host', host, ...headers]
  // Not by URL, which would be tidied up.
  const path = url.slice(url.indexOf('/', 'http://'.length))
  const to = { hostname, port, path, method, headers: all, agent: false, ...(signal && { signal }) }
  const outgoing = request(to, (incoming) => {
    const chunks: Buffer[] = []
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', reject)
    incoming.on('end', () => {
      const text = Buffer.concat(chunks).toString()
      const isJson = incoming.headers['content-type']?.startsWith('application/json') === true
      resolve({ status: incoming.statusCode ?? 0, text, json: isJson ? (JSON.parse(text) as Answer['json']) : {} })
      outgoing.destroy()
    })
  })
  outgoing.on('error', reject)
  outgoing.setTimeout(10_000, () => outgoing.destroy(new Error('Nothing was answered.')))
  if (body === null) outgoing.flushHeaders()
  else outgoing.end(body)
  return promise
}

/** A request as the gateway makes it. */
export function run(
  url: string,
  query: string,
  { variables, ...rest }: Signing & { variables?: object; signal?: AbortSignal } = {},
): Promise<Answer> {
  const { signal, ...signing } = rest
  const body = encode({ query, variables })
  const operation = /^\s*mutation/.test(query) ? 'mutation' : 'query'
  return send(url, { headers: headersOf(body, sign(body, { operation, ...signing })), body, ...(signal && { signal }) })
}

/** Collects log lines. */
export function logBook(): { lines: Record<string, unknown>[]; write(line: string): void } {
  const lines: Record<string, unknown>[] = []
  return { lines, write: (line) => void lines.push(JSON.parse(line) as Record<string, unknown>) }
}

export const links = `
  extend schema
    @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@authenticated", "@requiresScopes"])
    @link(url: "https://behalf.dev/identity/v0.1", import: ["@owner", "@owned", "@public", "@agent", "@subject", "@identity"])
`
