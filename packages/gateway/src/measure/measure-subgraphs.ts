import type { ErrorCode } from '@behalf/identity'
import type { Attributes } from '@opentelemetry/api'
import { durationBoundaries, gatewayMeter, isMeasured } from './meter.ts'

/** Measures requests to one subgraph; null where nobody measures. */
export function createSubgraphMeter(name: string): ((outcome: 'OK' | ErrorCode, ms: number) => void) | null {
  if (!isMeasured()) return null
  const duration = gatewayMeter().createHistogram('behalf.gateway.subgraph.duration', {
    description: 'Duration of requests to subgraphs, by what became of them',
    unit: 's',
    advice: { explicitBucketBoundaries: durationBoundaries },
  })
  /** Made once each. */
  const known = new Map<string, Attributes>()
  return (outcome, ms) => {
    let attributes = known.get(outcome)
    if (attributes === undefined)
      known.set(outcome, (attributes = { 'behalf.subgraph': name, 'behalf.outcome': outcome }))
    duration.record(ms / 1000, attributes)
  }
}
