import { anonymousSubject, deepFreeze, type Delegation, type Principal, type Unbranded } from '@behalf/identity'

/** The only cast to {@link Principal}. Not exported by the package: see `authenticate` and `principalFromDelegation`. */
export const toPrincipal = (fields: Unbranded<Principal>): Principal => deepFreeze(fields) as Principal

/** A caller without a credential. */
export const anonymous: Principal = toPrincipal({
  issuer: null,
  subject: anonymousSubject,
  tenant: null,
  scopes: [],
  facts: {},
  client: null,
  session: null,
  authTime: null,
  acr: null,
  actor: null,
  issuedAt: null,
  expiresAt: null,
})

/** Facts that say what a user is among people; a subgraph must not mistake an agent for one of them. */
const withheldFromAgents: ReadonlySet<string> = new Set(['roles', 'groups'])

/** The user of a delegation, with an agent acting in one of its runs. */
export function principalFromDelegation(delegation: Delegation, run: string): Principal {
  const { id, issuer, subject, tenant, scopes, client, session, authTime, acr, issuedAt, agent, parent, expiresAt } =
    delegation
  return toPrincipal({
    issuer,
    subject,
    tenant,
    scopes,
    facts: Object.fromEntries(Object.entries(delegation.facts).filter(([name]) => !withheldFromAgents.has(name))),
    client,
    session,
    authTime,
    acr,
    actor: { agent, delegation: id, run, tool: null, call: null, parent },
    issuedAt,
    expiresAt: Math.floor(expiresAt.getTime() / 1000),
  })
}

/** The same caller, narrowed to one call of one tool: only the scopes it needs are left. */
export function narrowToTool(
  principal: Principal,
  tool: { readonly name: string; readonly call: string; readonly scopes: readonly string[] },
): Principal {
  const { actor } = principal
  if (actor === null) throw new TypeError('A person does not call tools.')
  return toPrincipal({
    ...principal,
    scopes: principal.scopes.filter((scope) => tool.scopes.includes(scope)),
    actor: { ...actor, tool: tool.name, call: tool.call },
  })
}
