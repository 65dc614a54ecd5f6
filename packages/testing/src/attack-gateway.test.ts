import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { aimAtGateway } from './attack-gateway.ts'
import { brokenGateway } from './fixtures/broken-gateway.ts'
import { type GatewayFault, gatewayFaults } from './fixtures/gateway-faults.ts'
import { trustIn } from './fixtures/lax-tokens.ts'
import { sloppyServer } from './fixtures/sloppy-http.ts'
import type { GatewayTarget } from './gateway-attacks/gateway-attack.ts'
import { gatewayAttacks } from './gateway-attacks/gateway-attacks.ts'
import { startThief, type Thief } from './gateway-attacks/thief.ts'
import { testIssuer, type TestIssuer } from './test-issuer.ts'

const audience = 'https://api.example/graphql'

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
    expect(gatewayAttacks.map(({ name }) => name)).toEqual(Object.keys(gatewayFaults))
    expect(new Set(Object.values(gatewayFaults)).size).toBe(gatewayAttacks.length)
  })

  it.each(gatewayAttacks)('notices a gateway that falls for $name', async ({ name, withstand }) => {
    const message = /should be (refused|answered as without|answered as with its)[^]*: 200 |asked a stranger for/
    const fault = new Map(Object.entries(gatewayFaults)).get(name) ?? null
    await against(fault, (target) => expect(withstand(target)).rejects.toThrow(message))
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
