import { attackGateway, testIssuer } from '@behalf/testing'
import { startSystem } from '../support/system.ts'

const audience = 'https://api.example/graphql'

attackGateway(async () => {
  const ada = { sub: 'ada', tenant: 'acme', client_id: 'behalf-cli', scope: 'delegations:manage' }
  const issuer = await testIssuer({ audience, claims: ada })
  const system = await startSystem({
    env: { OIDC_ISSUER: issuer.issuer, GRAPHQL_RESOURCE: audience, LIMIT_ANONYMOUS: 'refusedCredentials=off' },
  })
  return {
    url: system.urls.graphql,
    mint: issuer.mint,
    async close() {
      await system.stop()
      await issuer.close()
    },
  }
})
