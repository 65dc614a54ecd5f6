import { growAudit } from './audit.ts'
import type { GrowthRow } from './growth-row.ts'
import { growStreams } from './streams.ts'
import { growSubgraphs } from './subgraphs.ts'
import { growTools } from './tools.ts'

/** A process may have 20,000 files open here, and each stream has two sockets in the gateway: to its client and to its subgraph. */
const mostStreams = 9900

export const growthParts = ['tools', 'subgraphs', 'audit', 'streams'] as const
export type GrowthPart = (typeof growthParts)[number]

/** @param mostEvents - of the audit log; ten million take some minutes and 6 GB of disk */
export async function measureGrowth(
  only: readonly GrowthPart[],
  mostEvents: number,
  save: (part: GrowthPart, rows: readonly GrowthRow[]) => void,
): Promise<void> {
  const measure = {
    tools: () => growTools([10, 100, 1000]),
    subgraphs: () => growSubgraphs([3, 10, 30, 100]),
    audit: () => growAudit([10_000, 100_000, 1_000_000, 10_000_000].filter((events) => events <= mostEvents)),
    streams: () => growStreams([1, 10, 100, 1000, mostStreams]),
  }
  for (const part of only) save(part, await measure[part]())
}
