import type { Principal } from '@behalf/identity'

/**
 * Scopes that an agent may have for a user, whatever a token or a delegation grants it; null is no bound. Roles are among
 * the facts here, as our records have them.
 */
export type AgentScopes = (user: Pick<Principal, 'subject' | 'tenant' | 'facts'>) => readonly string[] | null

/** For whom nothing else is said. */
export const anyAgentScope: AgentScopes = () => null

/** Of these scopes, those that an agent may have for this user. */
export function scopesForAgent(
  scopes: readonly string[],
  user: Parameters<AgentScopes>[0],
  agentScopes: AgentScopes,
): readonly string[] {
  const allowed = agentScopes(user)
  return allowed === null ? scopes : scopes.filter((scope) => allowed.includes(scope))
}
