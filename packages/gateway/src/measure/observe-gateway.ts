import type { BatchObservableCallback, Observable } from '@opentelemetry/api'
import type { GraphStatus } from '../graph/follow-graph.ts'
import { gatewayMeter } from './meter.ts'

/**
 * Tells how things are whenever somebody collects it.
 *
 * @param of.revocationsAge - milliseconds; not finite where nothing is known yet.
 * @returns how to end it
 */
export function observeGateway(of: {
  readonly graph: () => GraphStatus
  readonly openStreams: () => number
  readonly revocationsAge: () => number
}): () => void {
  const meter = gatewayMeter()
  const graphAge = meter.createObservableGauge('behalf.gateway.graph.age', {
    description: 'Time since the graph that is served began to be served',
    unit: 's',
  })
  const graphCurrent = meter.createObservableGauge('behalf.gateway.graph.current', {
    description:
      'Whether the graph that is served is the one that should be: 1, or 0 where there is a problem with that one',
    unit: '1',
  })
  const streams = meter.createObservableUpDownCounter('behalf.gateway.streams.open', {
    description: 'Streams that are open',
    unit: '{stream}',
  })
  const revocations = meter.createObservableGauge('behalf.gateway.revocations.age', {
    description: 'Time since it was last known who was ended',
    unit: 's',
  })
  const observe: BatchObservableCallback = (result) => {
    const { since, problem } = of.graph()
    result.observe(graphAge, (Date.now() - Date.parse(since)) / 1000)
    result.observe(graphCurrent, problem === null ? 1 : 0)
    result.observe(streams, of.openStreams())
    const age = of.revocationsAge()
    if (Number.isFinite(age)) result.observe(revocations, age / 1000)
  }
  const all: Observable[] = [graphAge, graphCurrent, streams, revocations]
  meter.addBatchObservableCallback(observe, all)
  return () => meter.removeBatchObservableCallback(observe, all)
}
