import type { Attack } from './attack.ts'
import { headerAttacks } from './header-attacks.ts'
import { requestAttacks } from './request-attacks.ts'
import { rowAttacks } from './row-attacks.ts'
import { ruleAttacks } from './rule-attacks.ts'
import { tokenAttacks } from './token-attacks.ts'

/** All of them, in the order in which they are tried. */
export const subgraphAttacks: readonly Attack[] = [
  ...headerAttacks,
  ...tokenAttacks,
  ...requestAttacks,
  ...ruleAttacks,
  ...rowAttacks,
]
