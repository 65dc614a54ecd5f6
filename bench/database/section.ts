import { middle } from '../middle.ts'
import { type Circumstances, circumstances, type Section, when } from '../section.ts'
import { type DatabaseSample, measureDatabase } from './run.ts'

export interface DatabaseResult extends Circumstances {
  readonly runs: number
  readonly requests: number
  readonly samples: readonly DatabaseSample[]
}

/** [runs] [loads] */
export const database: Section<DatabaseResult> = {
  async measure([runs = '5', requests = '5000'], save) {
    const samples = await measureDatabase(Number(runs), Number(requests))
    save({ ...circumstances(), runs: Number(runs), requests: Number(requests), samples })
  },
  render,
}

const databaseTitles: Record<DatabaseSample['contestant'], string> = {
  bound: 'as the caller: a transaction with row-level security',
  plain: 'the same query by itself, of a superuser',
}

/** What it costs that the database knows who asks. */
function render({ runs, requests, samples, ...circumstances }: DatabaseResult): string {
  const rows = (['bound', 'plain'] as const).map((contestant) => {
    const all = samples.filter((each) => each.contestant === contestant)
    const of = (value: 'cpu' | 'p50' | 'roundTrips') => middle(all.map((each) => each[value]))
    return `| ${databaseTitles[contestant]} | ${of('roundTrips')} | ${of('cpu').toFixed(0)} | ${of('p50').toFixed(2)} |`
  })
  return `## A load from the database

A batch of ten orders of one user by their ids, of 20,000, from an embedded PostgreSQL on the same machine, one load after another on one
connection. That it begins, says who calls and asks is one round trip, and its end another, for which a subgraph's answer does not wait.
${when(circumstances)}, ${runs} runs of ${requests} loads in turn.

| | round trips | microseconds of the client's CPU time | milliseconds |
|---|---|---|---|
${rows.join('\n')}
`
}
