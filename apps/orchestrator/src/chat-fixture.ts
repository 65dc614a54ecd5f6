import { randomBytes, randomUUID } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import {
  agentApiPaths,
  contextTokenHeader,
  createContextSigner,
  createWorkloadVerifier,
  deriveContextKeys,
  deriveWorkloadKey,
  workloadTokenHeader,
  type Actor,
  type OfferedTool,
  type ResolvedApproval,
  type ToolOutcome,
} from '@behalf/identity'
import type { ModelBackend } from '@behalf/orchestration'
import { testDatabase } from '@behalf/postgres/embedded'
import { testPrincipal } from '@behalf/testing'
import pg from 'pg'
import { readConfig } from './config.ts'
import { openChatStream } from './chat-stream-fixture.ts'
import { orchestrator } from './subgraph.ts'

export type { ChatStream } from './chat-stream-fixture.ts'

const trustDomain = 'behalf.test'

/** What the stand-in for the gateway's agent API was asked, and what it answers. */
export interface AgentApiStandIn {
  readonly url: string
  tools: readonly OfferedTool[]
  answer: (call: {
    readonly call: string
    readonly name: string
    readonly arguments: unknown
    readonly delegation: string
    readonly run: string
  }) => ToolOutcome | Promise<ToolOutcome>
  /** False: every delegation has ended. */
  delegationsHold: boolean
  readonly redeemed: string[]
  /** What users decided: found by whoever waits. */
  readonly resolved: ResolvedApproval[]
  /** Every call that arrived, repeats included. */
  readonly calls: {
    readonly call: string
    readonly name: string
    readonly arguments: unknown
    readonly delegation: string
    readonly run: string
  }[]
}

export const balanceTool: OfferedTool = {
  name: 'get_balance',
  title: 'Get balance',
  description: 'What the account of the user holds.',
  inputSchema: { type: 'object', properties: {}, additionalProperties: false },
  readOnly: true,
  requiresApproval: false,
  examples: ['what is my balance?'],
}

interface Answer {
  // oxlint-disable-next-line typescript/no-explicit-any -- whatever the query asked for
  readonly data: any
  readonly errors?: readonly { readonly message: string; readonly extensions: { readonly code: string } }[]
}

/** A real subgraph on a real database, with callers as the gateway would make them. */
export async function startChat(backend: ModelBackend, replicas = 1, more: Readonly<Record<string, string>> = {}) {
  await using starting = new AsyncDisposableStack()
  const started = new AsyncDisposableStack()
  starting.use(started)
  const rootKey = randomBytes(32).toString('base64url')
  const database = started.use(await testDatabase())
  const databaseUrl = await database.provision('orchestrator', fileURLToPath(new URL('../migrations', import.meta.url)))
  const admin = new pg.Pool({ connectionString: database.url, max: 2, options: '-c search_path=orchestrator' })
  // The embedded server may stop before a connection that was let go is closed.
  admin.on('error', () => undefined)
  admin.on('connect', (client) => client.on('error', () => undefined))
  started.defer(() => admin.end())
  const { server, agentApi } = await standIn(rootKey)
  started.defer(async () => {
    server.closeAllConnections()
    await new Promise<void>((resolve) => server.close(() => resolve()))
  })

  const env = {
    DATABASE_URL: databaseUrl,
    BEHALF_CONTEXT_KEYS: deriveContextKeys(rootKey, 'orchestrator', [1]),
    BEHALF_TRUST_DOMAIN: trustDomain,
    BEHALF_WORKLOAD_KEY: deriveWorkloadKey(rootKey, 'orchestrator', 1),
    GATEWAY_INTERNAL_URL: agentApi.url,
    LOG_LEVEL: 'silent',
    USER_RUNS: '1000',
    ...more,
  }
  const start = async () => {
    const listening = await orchestrator(readConfig(env), { backend }).listen({ port: 0 })
    started.defer(() => listening.close())
    return listening
  }
  const listening: Awaited<ReturnType<typeof start>>[] = []
  while (listening.length < replicas) listening.push(await start())

  const urlOf = (replica: number) => {
    const found = listening[replica]
    if (!found) throw new Error(`There is no replica ${replica}.`)
    return found.url
  }
  const signer = createContextSigner({ rootKey, trustDomain })
  const as = (name: string, scopes: readonly string[] = ['chat'], actor: Actor | null = null) => ({
    async run(
      query: string,
      variables: object = {},
      { ticket = `ticket-${randomUUID()}`, replica = 0 } = {},
    ): Promise<Answer> {
      const body = new TextEncoder().encode(JSON.stringify({ query, variables }))
      const operation = query.trimStart().startsWith('mutation') ? 'mutation' : 'query'
      const token = signer.sign(testPrincipal(name, { scopes, actor }), {
        to: 'orchestrator',
        body,
        operation,
        txn: randomUUID(),
        facts: [],
        scopes,
        ticket,
      })
      const response = await fetch(urlOf(replica), {
        method: 'POST',
        headers: { 'content-type': 'application/json', [contextTokenHeader]: token },
        body,
      })
      return (await response.json()) as Answer
    },
    /** A subscription, as the gateway opens one. */
    stream: (query: string, variables: object = {}, { replica = 0, until = Math.floor(Date.now() / 1000) + 60 } = {}) =>
      openChatStream(urlOf(replica), { query, variables }, (body) =>
        signer.sign(testPrincipal(name, { scopes, actor }), {
          to: 'orchestrator',
          body,
          operation: 'subscription',
          until,
          txn: randomUUID(),
          facts: [],
          scopes,
        }),
      ),
    send(input: object, options?: { ticket?: string; replica?: number }) {
      return this.run(sendText, { input: { idempotencyKey: randomUUID(), ...input } }, options)
    },
  })

  // Started: from here on the caller disposes, also of replicas that are started later.
  starting.move()
  return {
    as,
    admin,
    agentApi,
    env,
    replicas: listening,
    start: async () => void listening.push(await start()),
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  }
}

/** A run as chatSend stores it, but without a job: for a test that works it itself. */
export async function seedRun(admin: pg.Pool, owner: string, text: string): Promise<string> {
  const [conversation, run, message] = ['cnv', 'run', 'msg'].map(
    (kind) => `${kind}_${randomUUID().replaceAll('-', '')}`,
  )
  await admin.query('insert into conversation (id, user_id, title) values ($1, $2, $3)', [conversation, owner, text])
  await admin.query(
    `insert into run (id, conversation_id, user_id, idempotency_key, backend_kind, backend_name) values ($1, $2, $3, $1, 'LANGUAGE_MODEL', 'scripted')`,
    [run, conversation, owner],
  )
  await admin.query(
    `insert into message (id, conversation_id, run_id, user_id, role, text, position) values ($1, $2, $3, $4, 'USER', $5, 1)`,
    [message, conversation, run, owner, text],
  )
  await admin.query('insert into run_delegation (run_id, user_id, handle) values ($1, $2, $3)', [run, owner, 'handle'])
  return run as string
}

const runFields = `{
  id status finishedAt conversation { id title } message { role text run { id } }
  toolCalls { id tool arguments status result resultTruncated errorCode durationMs }
  pendingApprovals { id }
  usage { inputTokens outputTokens modelCalls toolCalls reported } backend { kind name } error { code message retryable }
}`
const sendText = `mutation Send($input: ChatSendInput!) { chatSend(input: $input) { run ${runFields} error { code retryable } } }`
export const runText = `query Run($id: ID!) { chatRun(id: $id) ${runFields} }`

async function standIn(rootKey: string): Promise<{ server: Server; agentApi: AgentApiStandIn }> {
  const verifier = createWorkloadVerifier({ rootKey, epochs: [1], workloads: ['orchestrator'], trustDomain })
  const used = new Set<string>()
  const consume = (id: string) => Promise.resolve(!used.has(id) && used.add(id).has(id))
  const state: Omit<AgentApiStandIn, 'url'> = {
    tools: [balanceTool],
    answer: () => ({
      ok: true,
      result: { viewer: { balance: { amount: '1250.00', currency: 'EUR' } } },
      truncated: false,
    }),
    delegationsHold: true,
    redeemed: [],
    resolved: [],
    calls: [],
  }
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const body = Buffer.concat(chunks)
      const path = request.url ?? ''
      const token = String(request.headers[workloadTokenHeader])
      const send = (status: number, answer: object) =>
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
      verifier
        .verify(token, { method: 'POST', path, body }, consume)
        .then(() => reply(path, body.toString()))
        .then(({ status, answer }) => send(status, answer))
        .catch((error: unknown) => send(401, { error: { code: 'WORKLOAD_REFUSED', message: String(error) } }))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const agentApi = Object.assign(state, { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
  return { server, agentApi }

  async function reply(path: string, body: string): Promise<{ status: number; answer: object }> {
    if (path === agentApiPaths.token) {
      const ticket = new URLSearchParams(body).get('subject_token') ?? ''
      if (state.redeemed.includes(ticket))
        return { status: 400, answer: { error: { code: 'TICKET_REFUSED', message: 'used' } } }
      state.redeemed.push(ticket)
      return { status: 200, answer: { access_token: `handle of ${ticket}`, delegation: `dlg_${randomUUID()}` } }
    }
    if (path === agentApiPaths.resolvedApprovals) {
      const { after } = JSON.parse(body) as { after: number }
      const found = () => state.resolved.filter(({ sequence }) => sequence > after)
      for (let waited = 0; found().length === 0 && waited < 500; waited++) await pause(50)
      return { status: 200, answer: { resolutions: found() } }
    }
    if (path === agentApiPaths.watchDelegation) {
      for (let waited = 0; state.delegationsHold && waited < 500; waited++) await pause(50)
      if (state.delegationsHold) return { status: 200, answer: { inForce: true } }
    }
    if (!state.delegationsHold)
      return { status: 403, answer: { error: { code: 'DELEGATION_REFUSED', message: 'ended' } } }
    const asked = JSON.parse(body) as AgentApiStandIn['calls'][number]
    if (path === agentApiPaths.listTools) return { status: 200, answer: { tools: state.tools } }
    state.calls.push(asked)
    return { status: 200, answer: await state.answer(asked) }
  }
}
