import type { GrowthRow } from './growth-row.ts'
import { type Circumstances, circumstances, type Section, when } from '../section.ts'
import { type GrowthPart, growthParts, measureGrowth } from './run.ts'

export interface GrowthResult {
  readonly parts: Readonly<Partial<Record<GrowthPart, Circumstances & { readonly rows: readonly GrowthRow[] }>>>
}

/** [tools,subgraphs,audit,streams] [audit events at most; 10000000 takes ten minutes]: six minutes */
export const growth: Section<GrowthResult> = {
  async measure([parts = growthParts.join(), mostEvents = '1000000'], save, known) {
    const only = growthParts.filter((part) => parts.split(',').includes(part))
    // What is measured again takes the place of what was, and leaves the rest.
    const all = { ...known?.parts }
    await measureGrowth(only, Number(mostEvents), (part, rows) => {
      all[part] = { ...circumstances(), rows }
      save({ parts: { ...all } })
    })
  },
  render,
}

const about: Readonly<Record<GrowthPart, string>> = {
  tools: `Tools of one subgraph that answers from memory, over MCP. \`start\` is from nothing to the first answer.`,
  subgraphs: `Subgraphs, each with a part of one entity and all answering from memory. "First" is an operation that nobody asked before, so
that it is authorized and planned; what follows asks it again.`,
  audit: `One log that grows, on the PostgreSQL of development; a thousand users, of whom each has a thousandth of it. \`behalf explain\` finds ten
events of a transaction and ten of another that it led to.`,
  streams: `Streams of one subscription and one user, on a socket each, silent but for heartbeats. A process may have 20,000 files open where this was
measured, and a stream takes two in the gateway.`,
}

/** What things cost as they grow. */
function render({ parts }: GrowthResult): string {
  const sections = growthParts.flatMap((part) => {
    const found = parts[part]
    if (!found) return []
    const sizes = [...new Set(found.rows.flatMap(({ costs }) => costs.map(({ size }) => size)))].toSorted(
      (a, b) => a - b,
    )
    const rows = found.rows.map(
      (row) => `| ${row.what}, ${row.unit} | ${sizes.map((size) => cell(row, size)).join(' | ')} | ${ratio(row)} |`,
    )
    return [
      `### ${found.rows[0]?.of ?? part}

${about[part]} ${when(found)}.

| | ${sizes.map((size) => size.toLocaleString('en')).join(' | ')} | size, cost |
|---|${sizes.map(() => '---|').join('')}---|
${rows.join('\n')}
`,
    ]
  })
  return `## Growth

What a thing costs as another grows; the last column has by how much, from the smallest to the largest.

${sections.join('\n')}`
}

function cell({ costs }: GrowthRow, size: number): string {
  const cost = costs.find((each) => each.size === size)?.cost
  return cost === undefined ? '' : shown(cost)
}

function shown(cost: number): string {
  if (cost >= 100) return cost.toFixed(0)
  return cost >= 10 ? cost.toFixed(1) : cost.toFixed(2)
}

function ratio({ costs }: GrowthRow): string {
  const [first, last] = [costs[0], costs.at(-1)]
  if (!first || !last || first === last) return ''
  return `×${Math.round(last.size / first.size).toLocaleString('en')}, ×${shown(last.cost / first.cost)}`
}
