import { middle } from '../middle.ts'
import { type Circumstances, circumstances, type Section, when } from '../section.ts'
import { measureSubgraphs, processes, subgraphContestants, type SubgraphSample, warmUp } from './run.ts'

export interface SubgraphResult extends Circumstances {
  readonly runs: number
  readonly requests: number
  readonly samples: readonly SubgraphSample[]
}

/** [runs] [requests] */
export const subgraph: Section<SubgraphResult> = {
  async measure([runs = '5', requests = '5000'], save) {
    const samples = await measureSubgraphs(Number(runs), Number(requests))
    save({ ...circumstances(), runs: Number(runs), requests: Number(requests), samples })
  },
  render,
}

const subgraphTitles: Record<SubgraphSample['contestant'], string> = {
  verifying: 'verifying, with every rule',
  believing: 'the same without verification',
  trusting: 'Apollo Server on node:http, without rules',
}

/** What verification costs, and what it and every rule do, where the data is. */
function render({ runs, requests, samples, ...circumstances }: SubgraphResult): string {
  const of = (contestant: SubgraphSample['contestant']) =>
    samples.filter((each) => each.contestant === contestant).map(({ cpu }) => cpu)
  const rows = subgraphContestants.map((contestant) => {
    const all = of(contestant)
    const spread = `${Math.min(...all).toFixed(0)} to ${Math.max(...all).toFixed(0)}`
    const share = contestant === 'verifying' ? '' : (middle(all) / middle(of('verifying'))).toFixed(2)
    return `| ${subgraphTitles[contestant]} | **${middle(all).toFixed(0)}** (${spread}) | ${share} |`
  })
  const wrong = samples.reduce((sum, each) => sum + each.wrong, 0)
  return `## A subgraph

A fetch of an entity with three orders, answered from memory: by a subgraph of this library, which verifies a context token for each
request and enforces scopes and owners; by the same, put together in [bench/](../../bench/subgraph/contestants) with a
verifier that reads who calls from the token and checks nothing; and by Apollo Server with the same schema and resolvers, which
enforces nothing and asks nobody. ${when(circumstances)}, ${processes} processes of each, ${runs} runs of ${requests} requests of
each process in turn after ${warmUp} to warm up, ${wrong} answers wrong.

| | microseconds of CPU time for a request: median (least to most) | requests of the verifying one for each of its own |
|---|---|---|
${rows.join('\n')}
`
}
