import type { ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { contextTokenHeader, createContextSigner, deriveContextKeys } from '@behalf/identity'
import { testPrincipal } from '@behalf/testing'
import { load } from '../gateway/load.ts'
import { cpuOf, isProfiled, startOnFirstCore } from '../processes.ts'
import { body, expected, name, scopes } from './thing.ts'

export const subgraphContestants = ['verifying', 'believing', 'trusting'] as const
export interface SubgraphSample {
  readonly contestant: (typeof subgraphContestants)[number]
  readonly run: number
  /** Microseconds of the subgraph's CPU time for each request. */
  readonly cpu: number
  readonly wrong: number
}

/** Processes of each: what V8 makes of the same code is not the same in two of them, by more than what is compared. */
export const processes = 6
/** Requests after which V8 compiles next to nothing any more: on another thread, but in the same time. */
export const warmUp = 20_000

/**
 * A subgraph that verifies what it is sent, the same that believes it, and one of Apollo Server without any rules, asked
 * in turn.
 */
export async function measureSubgraphs(runs: number, requests: number): Promise<SubgraphSample[]> {
  const rootKey = randomBytes(32).toString('base64url')
  const signer = createContextSigner({ rootKey, epoch: 1, trustDomain: 'behalf' })
  const principal = testPrincipal('ada', { scopes })
  const bytes = Buffer.from(body)
  const token = () =>
    signer.sign(principal, {
      to: name,
      body: bytes,
      operation: 'query',
      txn: '01a22d0e-6f9b-76ad-bc48-023c9e74c228',
      facts: [],
      scopes,
    })
  const env = { KEYS: deriveContextKeys(rootKey, name, [1]) }
  const started: { contestant: (typeof subgraphContestants)[number]; url: string; child: ChildProcess }[] = []
  const samples: SubgraphSample[] = []
  try {
    for (let each = 0; each < processes; each++)
      for (const contestant of subgraphContestants) {
        const script = join(import.meta.dirname, 'contestants', `${contestant}.ts`)
        started.push({ contestant, ...(await startOnFirstCore(script, env, isProfiled(contestant))) })
      }
    for (let run = -1; run < runs; run++)
      for (const { contestant, url, child } of run % 2 === 0 ? started : started.toReversed()) {
        const sent = run < 0 ? warmUp : requests
        const before = cpuOf(child.pid)
        // Made by whoever asks, on the other core; a query's token is good for 30 s.
        const next = () => ({ body, token: null, headers: [contextTokenHeader, token()], expected })
        const { wrong } = await load({ url, connections: 64, requests: sent, next })
        const cpu = ((cpuOf(child.pid) - before) * 1_000_000) / requests
        if (run < 0) continue
        console.log(`${run} ${contestant} ${cpu.toFixed(0)} us ${wrong} wrong`)
        samples.push({ contestant, run, cpu, wrong })
      }
  } finally {
    for (const { child } of started) child.kill()
  }
  return samples
}
