import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { aimAtGateway } from './attack-gateway.ts'
import { brokenGateway, type GatewayFault, gatewayFaults, trustIn } from './fixtures/broken-gateway.ts'
import { sloppyServer } from './fixtures/sloppy-http.ts'
import type { GatewayTarget } from './gateway-attacks/gateway-attack.ts'
import { gatewayAttacks } from './gateway-attacks/gateway-attacks.ts'
import { startThief, type Thief } from './gateway-attacks/thief.ts'
import { testIssuer, type TestIssuer } from './test-issuer.ts'

const audience = 'https://api.example/graphql'

/** The mistake by which an attack succeeds. */
const successes: Readonly<Record<string, GatewayFault>> = {
  'an unsigned token': 'none',
  'a public key as a secret': 'confusion',
  'a token that brings its key': 'embedded',
  'a token that says where its key is': 'fetched',
  'an injected key id': 'injected',
  'a signature that is none': 'zeros',
  'another spelling of a token': 'spelling',
  'critical extensions': 'critical',
  'members twice': 'first',
  'another type of token': 'type',
  'an ID token': 'idToken',
  'a token for somebody else': 'audience',
  'another issuer': 'issuer',
  'a token out of its time': 'time',
  'a token bound to a key': 'bound',
  'claims of another type': 'shape',
  'a user of nobody': 'anybody',
  'a huge token': 'size',
  'a token in a token': 'nested',
  'two credentials': 'several',
  'another scheme': 'scheme',
  'a token in the URL': 'url',
  'a token in another place': 'places',
  'headers that say who calls': 'identity',
  'headers that say who else calls': 'overruled',
  "a client's own context token": 'context',
  'a context token as a bearer': 'contextBearer',
  'a bad token that is declared away': 'hop',
  'a request in two readings': 'readings',
}

describe('the attack kit of gateways', () => {
  let issuer: TestIssuer
  let thief: Thief
  beforeAll(async () => {
    issuer = await testIssuer({ audience })
    thief = await startThief()
  })
  afterAll(async () => {
    await issuer.close()
    await thief[Symbol.asyncDispose]()
  })

  async function against(fault: GatewayFault | null, work: (target: GatewayTarget) => Promise<void>): Promise<void> {
    const gateway = await brokenGateway(fault, await trustIn(issuer.issuer, audience))
    try {
      await work(await aimAtGateway({ url: gateway.url, mint: issuer.mint }, thief))
    } finally {
      await gateway.close()
    }
  }

  it('has a broken gateway for every attack', () => {
    expect(gatewayAttacks.map(({ name }) => name)).toEqual(Object.keys(successes))
    expect(Object.values(successes)).toEqual([...gatewayFaults])
  })

  it.each(gatewayAttacks)('notices a gateway that falls for $name', async ({ name, withstand }) => {
    const message = /should be (refused|answered as)[^]*: 200 |asked a stranger for/
    await against(successes[name] ?? null, (target) => expect(withstand(target)).rejects.toThrow(message))
  })

  it.each(gatewayAttacks)('takes a gateway without a fault for one that withstands $name', async ({ withstand }) => {
    await against(null, (target) => expect(withstand(target)).resolves.toBeUndefined())
  })

  it('does not take a gateway that refuses everybody, or nobody, for one that withstands', async () => {
    for (const [answer, message] of [
      [{ errors: [{ extensions: { code: 'CREDENTIAL_INVALID' } }] }, 'An acceptable token is not answered'],
      [{ data: { viewer: { id: 'ada' } } }, 'answered to nobody as to somebody'],
    ] as const) {
      const server = await sloppyServer(() => Promise.resolve({ status: 200, body: JSON.stringify(answer) }))
      const target = await aimAtGateway({ url: server.url, mint: issuer.mint }, thief)
      for (const { withstand } of gatewayAttacks) await expect(withstand(target)).rejects.toThrow(message)
      await server.close()
    }
  })
})
