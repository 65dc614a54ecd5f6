import { createGateway } from '@behalf/gateway'
import { readContest, ready } from '../contest.ts'
import { createStandInAuthority } from '../stand-in-authority.ts'

const { graph, issuer, audience, secret } = readContest()
// Limits are counted, and not reached.
const plenty = { requests: 1e9, cost: 1e12 }
const gateway = await createGateway({
  graph,
  rootKey: secret,
  issuers: [{ issuer, audiences: { graphql: audience }, interactiveClients: ['bench'] }],
  authority: createStandInAuthority(),
  registry: () => ({ catalogue: () => [], call: () => Promise.reject(new Error('no tools')) }),
  limits: { user: plenty, tenant: plenty, anonymous: plenty },
})
const { url } = await gateway.listen({ port: 0, internalPort: 0 })
ready(`${url}/graphql`)
