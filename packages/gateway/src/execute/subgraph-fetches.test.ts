import type { Approval, ContextRequest, Graph } from '@behalf/identity'
import pino from 'pino'
import { expect, it } from 'vitest'
import { RequestRecord } from '../audit/request-record.ts'
import { agent } from '../authorize/fixtures.ts'
import type { Fetch } from './plan/run.ts'
import { createSubgraphFetches } from './subgraph-fetches.ts'

const graph: Graph = {
  format: 1,
  hash: '',
  supergraph: '',
  subgraphs: {},
  rules: {},
  subjects: {},
  owners: {},
  tools: [],
}
const approval: Approval = { id: 'apr_1', field: 'cancelOrder' }

/** What the context token of such a fetch is made of. */
async function signedFor(fetch: Fetch): Promise<ContextRequest | undefined> {
  const signed: ContextRequest[] = []
  const never = () => Promise.reject(new Error('no ticket'))
  const subgraph = createSubgraphFetches({
    name: 'orders',
    graph,
    client: { send: async () => ({ data: {}, errors: [] }), close: async () => undefined },
    signer: { sign: (_principal, request) => (signed.push(request), 'token') },
    tickets: { seal: never, sealProof: never },
    readApproved: () => [],
    log: pino({ level: 'silent' }),
  })
  const context = { principal: agent(), txn: 't', trace: {}, signal: null, address: null }
  await subgraph.prepare(fetch)('{}', { ...context, approval, record: new RequestRecord('t') }, null)
  return signed[0]
}

it('[P9] an approval goes with the field that was approved, and with no other fetch', async () => {
  const rootFields = ['cancelOrder']
  expect(await signedFor({ operation: 'mutation', rootFields })).toMatchObject({ approval })
  expect(await signedFor({ operation: 'mutation', rootFields: ['placeOrder'] })).not.toHaveProperty('approval')
  expect(await signedFor({ operation: 'mutation', rootFields: ['cancelOrder', 'placeOrder'] })).not.toHaveProperty(
    'approval',
  )
  expect(await signedFor({ operation: 'query', rootFields: ['_entities'] })).not.toHaveProperty('approval')
})
