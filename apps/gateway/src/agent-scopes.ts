import type { AgentScopes } from '@behalf/gateway'

const customer = ['profile', 'orders:read', 'orders:write', 'balance:read', 'balance:transfer']
/** Of support nobody's agent moves money: theirs are the accounts that are most worth taking over. */
const support = customer.filter((scope) => scope !== 'balance:transfer')
const byRole: Readonly<Record<string, readonly string[]>> = { customer, support }

/** What an agent, in the chat or a client of MCP, may do at most for a user of these roles; the user may do more. */
export const agentScopes: AgentScopes = ({ facts: { roles } }) =>
  Array.isArray(roles) ? [...new Set(roles.flatMap((role: string) => byRole[role] ?? []))] : []
