import type { ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { cpuOf, isProfiled, startOnFirstCore, youngGeneration } from '../processes.ts'
import type { Contest } from './contest.ts'
import { composeGraph, expected, fields, selectionOf, tool, withLiteral } from './graph.ts'
import { load } from './load.ts'
import { startSubgraphs } from './subgraphs.ts'

export const contestants = ['behalf', 'behalf-open', 'stock', 'hive', 'hive-rust', 'bare'] as const
export type Contestant = (typeof contestants)[number]
export const workloads = [
  'fixed',
  'users',
  'distinct',
  'literals',
  'new',
  'alone',
  'beside',
  'tool',
  'tool-before',
] as const
/** Of Behalf alone, and asked in turn with each other: calls of two revisions of MCP, and the same over GraphQL. */
export const calls: ReadonlySet<Workload> = new Set<Workload>(['beside', 'tool', 'tool-before'])
export type Workload = (typeof workloads)[number]

export interface Sample {
  readonly contestant: Contestant
  readonly workload: Workload
  readonly run: number
  readonly perSecond: number
  /** Microseconds of the gateway's CPU time for each request. */
  readonly cpu: number
  /** Milliseconds that half of the requests took at most. */
  readonly p50: number
  readonly wrong: number
}

const audience = 'https://bench.example/graphql'
// Its host is that of requests, or they would be refused.
const mcpAudience = 'http://127.0.0.1:4000/mcp'

/**
 * All are there from the beginning, and are asked in turn, so that what else the machine does is everybody's. The order
 * alternates from run to run. Turns are short, and workloads come one after another: V8 throws away the code of a process that
 * waits for half a minute, and most of what is measured after that is how it is made anew.
 */
export async function measureGateways(options: {
  readonly runs: number
  /** For which each contestant is asked for each workload, in each run. */
  readonly seconds: number
  readonly only: readonly Contestant[]
  readonly of: readonly Workload[]
  /** Told after each workload of all that was measured so far: a machine may be wanted back before the last. */
  readonly save: (samples: readonly Sample[]) => void
}): Promise<void> {
  const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true })
  const jwk = { ...(await exportJWK(publicKey)), kid: 'bench', alg: 'ES256', use: 'sig' }
  const subgraphs = await startSubgraphs({ keys: [jwk] })
  const folder = mkdtempSync(join(tmpdir(), 'behalf-bench-'))
  const supergraph = join(folder, 'supergraph.graphql')
  const graph = join(folder, 'graph.json')
  writeFileSync(supergraph, composeGraph(subgraphs.urls))
  const described = graphOf(readFileSync(supergraph, 'utf8'))
  writeFileSync(graph, JSON.stringify(described))
  const openGraph = join(folder, 'open-graph.json')
  writeFileSync(openGraph, JSON.stringify({ ...described, rules: {} }))
  const contest: Contest = {
    supergraph,
    graph,
    openGraph,
    urls: subgraphs.urls,
    issuer: subgraphs.issuer,
    audience,
    mcpAudience,
    secret: randomBytes(32).toString('base64url'),
  }
  const mint = (subject: string, to = audience) =>
    new SignJWT({ scope: 'profile orders:read', client_id: 'bench' })
      .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: 'bench' })
      .setIssuer(subgraphs.issuer)
      .setAudience(to)
      .setSubject(subject)
      .setJti(subject)
      .setIssuedAt()
      .setExpirationTime('4h')
      .sign(privateKey)
  const tokens = await Promise.all(Array.from({ length: 1000 }, (_, index) => mint(`u${index}`)))
  const toolToken = await mint('u0', mcpAudience)
  /** To each contestant, the same. */
  const asked = new Map<string, number>()
  const countOf = (contestant: Contestant, workload: Workload) => {
    const key = `${contestant} ${workload}`
    const count = asked.get(key) ?? 0
    asked.set(key, count + 1)
    return count
  }
  const next: Record<Workload, (count: number) => ReturnType<typeof request>> = {
    fixed: () => request('Fixed', tokens[0]),
    users: (count) => request('Fixed', tokens[count % 1000]),
    distinct: (count) => request(`Of${count % 1000}`, tokens[0]),
    literals: (count) => request('Literals', tokens[0], { fields: withLiteral(String(count)), expected }),
    new: (count) => request('New', tokens[0], selectionOf(count)),
    alone: () => request('Fixed', tokens[0]),
    beside: () => request('Fixed', tokens[0]),
    tool: () => toolCall(toolToken),
    'tool-before': () => toolCallOfBefore(toolToken),
  }

  const samples: Sample[] = []
  const started: Started[] = []
  // Nothing is kept there of what is asked.
  const asks = (contestant: Contestant) =>
    options.of.filter((workload) =>
      calls.has(workload)
        ? contestant === 'behalf'
        : contestant !== 'bare' || workload === 'fixed' || workload === 'alone',
    )
  const ask = ({ contestant, url }: Started, workload: Workload, most: { requests: number; seconds: number }) =>
    load({
      url: workload.startsWith('tool') ? url.replace('/graphql', '/mcp') : url,
      connections: workload === 'alone' ? 1 : 64,
      next: () => ({
        ...next[workload](countOf(contestant, workload)),
        ...(contestant === 'behalf-open' && { token: null }),
      }),
      ...most,
    })
  try {
    for (const contestant of options.only) started.push(await start(contestant, contest))
    const groups = options.of.filter((workload) => !calls.has(workload)).map((workload) => [workload])
    for (const group of [...groups, options.of.filter((workload) => calls.has(workload))]) {
      const those = started.flatMap((one) =>
        group.flatMap((workload) => (asks(one.contestant).includes(workload) ? [{ one, workload }] : [])),
      )
      for (const { one, workload } of those) await ask(one, workload, { ...most[workload], seconds: warmUp[workload] })
      for (let run = 0; run < options.runs; run++)
        for (const { one, workload } of run % 2 === 0 ? those : those.toReversed()) {
          const { contestant, child } = one
          // Whoever waited for their turn has lost what is near.
          await ask(one, workload, { requests: 200, seconds: 2 })
          const before = cpuOf(child.pid)
          const limits = { ...most[workload], seconds: options.seconds }
          const { seconds, p50, wrong, requests } = await ask(one, workload, limits)
          const cpu = ((cpuOf(child.pid) - before) * 1_000_000) / requests
          const sample = { contestant, workload, run, perSecond: requests / seconds, cpu, p50, wrong }
          console.log(
            `${run} ${contestant} ${workload} ${sample.perSecond.toFixed(0)}/s ${cpu.toFixed(0)} us ${wrong} wrong`,
          )
          samples.push(sample)
        }
      options.save(samples)
    }
  } finally {
    for (const { child } of started) child.kill()
    subgraphs.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

/**
 * Seconds before anything is measured: what is not compiled yet is not, nor is a user or an operation that is seen for the
 * first time where they are said to be known.
 */
const warmUp: Record<Workload, number> = {
  fixed: 8,
  users: 4,
  distinct: 4,
  literals: 3,
  new: 3,
  alone: 1,
  beside: 6,
  tool: 6,
  'tool-before': 6,
}

/** How many requests are sent at most: of shapes there are only so many that are all new. */
const most: Record<Workload, { readonly requests: number }> = {
  fixed: { requests: Infinity },
  users: { requests: Infinity },
  distinct: { requests: Infinity },
  literals: { requests: 2500 },
  new: { requests: 2500 },
  alone: { requests: Infinity },
  beside: { requests: Infinity },
  tool: { requests: Infinity },
  'tool-before': { requests: Infinity },
}

const request = (name: string, token = '', asked = { fields, expected: expected as object }) => ({
  body: JSON.stringify({ query: `query ${name} ${asked.fields}`, operationName: name }),
  token,
  headers: [] as readonly string[],
  expected: JSON.stringify(asked.expected),
})

const protocol = '2026-07-28'

const toolCall = (token: string): ReturnType<typeof request> => ({
  body: JSON.stringify({
    jsonrpc: '2.0',
    id: 1,
    method: 'tools/call',
    params: {
      name: tool.name,
      arguments: {},
      _meta: {
        'io.modelcontextprotocol/protocolVersion': protocol,
        'io.modelcontextprotocol/clientInfo': { name: 'bench', version: '1' },
        'io.modelcontextprotocol/clientCapabilities': {},
      },
    },
  }),
  token,
  headers: ['mcp-protocol-version', protocol, 'mcp-method', 'tools/call', 'mcp-name', tool.name],
  expected: `"structuredContent":${JSON.stringify(expected)}`,
})

const protocolBefore = '2025-11-25'

const toolCallOfBefore = (token: string): ReturnType<typeof request> => ({
  body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: tool.name, arguments: {} } }),
  token,
  headers: ['mcp-protocol-version', protocolBefore],
  expected: `"structuredContent":${JSON.stringify(expected)}`,
})

interface Started {
  readonly contestant: Contestant
  readonly url: string
  readonly child: ChildProcess
}

async function start(contestant: Contestant, contest: Contest): Promise<Started> {
  const script = join(import.meta.dirname, 'contestants', `${contestant}.ts`)
  // As our own is started (docs/reference/config.md): what is good for one is for all.
  const env = { CONTEST: JSON.stringify(contest), NODE_OPTIONS: youngGeneration }
  return { contestant, ...(await startOnFirstCore(script, env, isProfiled(contestant))) }
}

/** As `behalf compose` would write it. */
function graphOf(supergraph: string) {
  const rule = { authenticated: true, scopes: [], policies: [], agent: 'ALLOW', delegates: null, approves: null }
  return {
    format: 1,
    hash: 'bench',
    supergraph,
    subgraphs: {
      users: { facts: [], scopes: ['profile'], timeoutMs: 10_000 },
      orders: { facts: [], scopes: ['orders:read'], timeoutMs: 10_000 },
      balance: { facts: [], scopes: ['profile'], timeoutMs: 10_000 },
    },
    rules: {
      'Query.viewer': rule,
      'User.orders': { ...rule, scopes: [['orders:read']] },
      'User.balance': { ...rule, scopes: [['profile']] },
    },
    subjects: {},
    owners: {},
    tools: [tool],
  }
}
