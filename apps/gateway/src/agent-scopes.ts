import type { AgentScopes } from '@behalf/gateway'

/** Of support nobody's agent moves money: theirs are the accounts that are most worth taking over. */
const withheld: Readonly<Record<string, readonly string[]>> = { support: ['balance:transfer'] }

/** What an agent, in the chat or a client of MCP, may do for a user of these roles; the user may do more. */
export const agentScopes: AgentScopes = ({ facts: { roles } }, scope) =>
  ![roles].flat().some((role) => withheld[String(role)]?.includes(scope))
