import { carrierAttacks } from './carrier-attacks.ts'
import { claimAttacks } from './claim-attacks.ts'
import type { GatewayAttack } from './gateway-attack.ts'
import { headerAttacks } from './header-attacks.ts'
import { keyAttacks } from './key-attacks.ts'
import { signatureAttacks } from './signature-attacks.ts'

/** All of them, in the order in which they are tried. */
export const gatewayAttacks: readonly GatewayAttack[] = [
  ...keyAttacks,
  ...signatureAttacks,
  ...claimAttacks,
  ...carrierAttacks,
  ...headerAttacks,
]
