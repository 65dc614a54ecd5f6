import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { JsonWebKey } from 'node:crypto'
import type { GatewayTarget } from './gateway-attacks/gateway-attack.ts'
import { gatewayAttacks } from './gateway-attacks/gateway-attacks.ts'
import { startThief, type Thief } from './gateway-attacks/thief.ts'
import { decodeToken } from './sign-token.ts'
import type { Mint } from './test-issuer.ts'

/** A gateway that runs, and an issuer that it trusts. */
export interface GatewayUnderAttack {
  /** Of `POST /graphql`. */
  readonly url: string
  /** Makes tokens with the issuer's own keys: see `testIssuer`. */
  readonly mint: Mint
  /** Asks who is asking: nobody is answered otherwise than somebody. Default `{ viewer { id } }`. */
  readonly query?: string
  /** What an agent may not ask, and a token of `mint` may. Default `{ viewer { delegations { id } } }`. */
  readonly peopleQuery?: string
  readonly close?: () => Promise<unknown>
}

/**
 * Registers tests that attack a gateway with the public catalogues of what is done to tokens, each with its acceptable
 * twin. Hundreds of credentials are refused in a few seconds: lift `LIMIT_ANONYMOUS` for it.
 *
 * @param start - before the first test; `close` is called after the last.
 */
export function attackGateway(start: () => Promise<GatewayUnderAttack>): void {
  describe('the gateway under attack', () => {
    let gateway: GatewayUnderAttack
    let thief: Thief
    let target: GatewayTarget
    beforeAll(async () => {
      thief = await startThief()
      gateway = await start()
      target = await aimAtGateway(gateway, thief)
    })
    afterAll(async () => {
      await gateway?.close?.()
      await thief[Symbol.asyncDispose]()
    })

    it.each(gatewayAttacks)('[$promise] withstands $name', async ({ withstand }) => {
      await expect(withstand(target)).resolves.toBeUndefined()
    })
  })
}

/** Finds the issuer's public keys, as anybody can (OpenID Connect Discovery 1.0, section 4). */
export async function aimAtGateway(
  {
    url,
    mint,
    query = '{ viewer { id } }',
    peopleQuery = '{ viewer { delegations { id } } }',
  }: Omit<GatewayUnderAttack, 'close'>,
  thief: Thief,
): Promise<GatewayTarget> {
  const issuer = String(decodeToken(await mint()).claims['iss'])
  const read = async (location: string) => (await fetch(location)).json()
  const metadata = (await read(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`)) as { jwks_uri: string }
  const { keys } = (await read(metadata.jwks_uri)) as { keys: JsonWebKey[] }
  return { url, mint, query, peopleQuery, publicKeys: keys, thief }
}
