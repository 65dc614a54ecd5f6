import type { Principal } from '@behalf/identity'

/**
 * Whether an agent may have this scope for a user, whatever a token or a delegation grants it. Roles are among the facts
 * here, as our records have them.
 */
export type AgentScopes = (user: Pick<Principal, 'subject' | 'tenant' | 'facts'>, scope: string) => boolean

/** For whom nothing else is said. */
export const anyAgentScope: AgentScopes = () => true
