import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import type { Contest } from './contest.ts'
import { composeGraph, expected, fields, selectionOf, withLiteral } from './graph.ts'
import { load } from './load.ts'
import { startSubgraphs } from './subgraphs.ts'

export const contestants = ['behalf', 'stock', 'hive', 'hive-rust', 'bare'] as const
export type Contestant = (typeof contestants)[number]
export const workloads = ['fixed', 'users', 'distinct', 'literals', 'new'] as const
export type Workload = (typeof workloads)[number]

export interface Sample {
  readonly contestant: Contestant
  readonly workload: Workload
  readonly run: number
  readonly perSecond: number
  /** Microseconds of the gateway's CPU time for each request. */
  readonly cpu: number
  readonly wrong: number
}

const audience = 'https://bench.example/graphql'
/** Kernel ticks in a second (`getconf CLK_TCK`). */
const ticks = 100

/** @param only - contestants to run; the order alternates from run to run. */
export async function measureGateways(options: {
  readonly runs: number
  /** Of each workload, after as many at the start: what is not compiled yet is not measured. */
  readonly requests: number
  readonly only: readonly Contestant[]
  readonly of: readonly Workload[]
}): Promise<readonly Sample[]> {
  const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true })
  const jwk = { ...(await exportJWK(publicKey)), kid: 'bench', alg: 'ES256', use: 'sig' }
  const subgraphs = await startSubgraphs({ keys: [jwk] })
  const folder = mkdtempSync(join(tmpdir(), 'behalf-bench-'))
  const supergraph = join(folder, 'supergraph.graphql')
  const graph = join(folder, 'graph.json')
  writeFileSync(supergraph, composeGraph(subgraphs.urls))
  writeFileSync(graph, JSON.stringify(graphOf(readFileSync(supergraph, 'utf8'))))
  const contest: Contest = {
    supergraph,
    graph,
    urls: subgraphs.urls,
    issuer: subgraphs.issuer,
    audience,
    secret: randomBytes(32).toString('base64url'),
  }
  const mint = (subject: string) =>
    new SignJWT({ scope: 'profile orders:read', client_id: 'bench' })
      .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: 'bench' })
      .setIssuer(subgraphs.issuer)
      .setAudience(audience)
      .setSubject(subject)
      .setJti(subject)
      .setIssuedAt()
      .setExpirationTime('4h')
      .sign(privateKey)
  const tokens = await Promise.all(Array.from({ length: 1000 }, (_, index) => mint(`u${index}`)))
  let fresh = 0
  const next: Record<Workload, () => ReturnType<typeof request>> = {
    fixed: () => request('Fixed', tokens[0]),
    users: () => request('Fixed', tokens[fresh++ % 1000]),
    distinct: () => request(`Of${fresh++ % 1000}`, tokens[0]),
    literals: () => request('Literals', tokens[0], { fields: withLiteral(String(fresh++)), expected }),
    new: () => request('New', tokens[0], selectionOf(fresh++)),
  }

  const samples: Sample[] = []
  try {
    for (let run = 0; run < options.runs; run++) {
      const order = run % 2 === 0 ? options.only : options.only.toReversed()
      for (const contestant of order) {
        const { url, child } = await start(contestant, contest)
        try {
          const warm = { url, connections: 64, next: next.fixed }
          await load({ ...warm, requests: options.requests })
          for (const workload of options.of) {
            // Nothing is kept of what is asked.
            if (contestant === 'bare' && workload !== options.of[0]) continue
            const asked = { url, connections: 64, next: next[workload] }
            await load({ ...asked, requests: warmUp[workload] })
            const before = cpuOf(child.pid)
            const { seconds, wrong, requests } = await load({ ...asked, requests: options.requests })
            const cpu = ((cpuOf(child.pid) - before) * 1_000_000) / requests
            const sample = { contestant, workload, run, perSecond: requests / seconds, cpu, wrong }
            console.log(
              `${run} ${contestant} ${workload} ${sample.perSecond.toFixed(0)}/s ${cpu.toFixed(0)} us ${wrong} wrong`,
            )
            samples.push(sample)
          }
        } finally {
          child.kill()
        }
      }
    }
  } finally {
    subgraphs.close()
    rmSync(folder, { recursive: true, force: true })
  }
  return samples
}

/** Every user and every operation twice, so that nobody is seen for the first time while it is measured. */
const warmUp: Record<Workload, number> = { fixed: 500, users: 2000, distinct: 2000, literals: 500, new: 500 }

const request = (name: string, token = '', asked = { fields, expected: expected as object }) => ({
  body: JSON.stringify({ query: `query ${name} ${asked.fields}`, operationName: name }),
  token,
  expected: JSON.stringify(asked.expected),
})

/** On the first core; what asks, and the subgraphs, are on the second. */
async function start(contestant: Contestant, contest: Contest): Promise<{ url: string; child: ChildProcess }> {
  const script = join(import.meta.dirname, 'contestants', `${contestant}.ts`)
  const profile = process.env['PROFILE'] === contestant ? ['--cpu-prof', '--cpu-prof-dir=/tmp/behalf-profile'] : []
  const child = spawn('taskset', ['-c', '0', process.execPath, '--conditions=@behalf/source', ...profile, script], {
    env: { ...process.env, NODE_ENV: 'production', CONTEST: JSON.stringify(contest) },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const url = await new Promise<string>((resolve, reject) => {
    let text = ''
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString()
      const [, found] = /READY (\S+)/.exec(text) ?? []
      if (found !== undefined) resolve(found)
    })
    child.once('exit', (code) => reject(new Error(`${contestant} ended with ${code}: ${text.slice(-500)}`)))
  })
  return { url, child }
}

/** Seconds of CPU time of a process and the processes that it started (`proc(5)`). */
function cpuOf(pid: number | undefined): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean)
  const [, rest = ''] = /\) (.*)$/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? []
  const columns = rest.split(' ')
  const own = (Number(columns[11]) + Number(columns[12])) / ticks
  return children.reduce((sum, child) => sum + cpuOf(Number(child)), own)
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
    tools: [],
  }
}
