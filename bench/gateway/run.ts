import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import type { Contest } from './contest.ts'
import { composeGraph, expected, fields, selectionOf, withLiteral } from './graph.ts'
import { load } from './load.ts'
import { startSubgraphs } from './subgraphs.ts'

export const contestants = ['behalf', 'stock', 'hive', 'hive-rust', 'bare'] as const
export type Contestant = (typeof contestants)[number]
export const workloads = ['fixed', 'users', 'distinct', 'literals', 'new', 'alone'] as const
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

/**
 * All are there from the beginning, and are asked in turn, so that what else the machine does is everybody's. The order
 * alternates from run to run.
 */
export async function measureGateways(options: {
  readonly runs: number
  /** Of each workload, of each contestant, in each run. */
  readonly requests: number
  readonly only: readonly Contestant[]
  readonly of: readonly Workload[]
  /** Told after each run of all that was measured so far: a machine may be wanted back before the last. */
  readonly save: (samples: readonly Sample[], runs: number) => void
}): Promise<void> {
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
    alone: () => request('Fixed', tokens[0]),
  }

  const samples: Sample[] = []
  const started: Started[] = []
  // Nothing is kept there of what is asked.
  const asks = (contestant: Contestant) =>
    options.of.filter((workload) => contestant !== 'bare' || workload === 'fixed' || workload === 'alone')
  const ask = (url: string, workload: Workload, requests: number) =>
    load({ url, connections: workload === 'alone' ? 1 : 64, next: next[workload], requests })
  try {
    for (const contestant of options.only) {
      const one = await start(contestant, contest)
      started.push(one)
      for (const workload of asks(contestant)) await ask(one.url, workload, warmUp[workload])
    }
    for (let run = 0; run < options.runs; run++) {
      for (const workload of options.of)
        for (const { contestant, url, child } of run % 2 === 0 ? started : started.toReversed()) {
          if (!asks(contestant).includes(workload)) continue
          const before = cpuOf(child.pid)
          const { seconds, p50, wrong, requests } = await ask(
            url,
            workload,
            options.requests / (workload === 'alone' ? 4 : 1),
          )
          const cpu = ((cpuOf(child.pid) - before) * 1_000_000) / requests
          const sample = { contestant, workload, run, perSecond: requests / seconds, cpu, p50, wrong }
          console.log(
            `${run} ${contestant} ${workload} ${sample.perSecond.toFixed(0)}/s ${cpu.toFixed(0)} us ${wrong} wrong`,
          )
          samples.push(sample)
        }
      options.save(samples, run + 1)
    }
  } finally {
    for (const { child } of started) child.kill()
    subgraphs.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

/**
 * Before anything is measured: what is not compiled yet is not, nor is a user or an operation that is seen for the first
 * time where they are said to be known.
 */
const warmUp: Record<Workload, number> = {
  fixed: 3000,
  users: 1500,
  distinct: 1500,
  literals: 500,
  new: 500,
  alone: 100,
}

const request = (name: string, token = '', asked = { fields, expected: expected as object }) => ({
  body: JSON.stringify({ query: `query ${name} ${asked.fields}`, operationName: name }),
  token,
  expected: JSON.stringify(asked.expected),
})

interface Started {
  readonly contestant: Contestant
  readonly url: string
  readonly child: ChildProcess
}

/** On the first core; what asks, and the subgraphs, are on the second. */
async function start(contestant: Contestant, contest: Contest): Promise<Started> {
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
  return { contestant, url, child }
}

/** Seconds of CPU time of a process and the processes that it started (Linux, `scheduler/sched-stats`): nanoseconds each. */
function cpuOf(pid: number | undefined): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean)
  const threads = readdirSync(`/proc/${pid}/task`).map((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8'),
  )
  const own = threads.reduce((sum, line) => sum + Number(line.split(' ')[0]) / 1e9, 0)
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
