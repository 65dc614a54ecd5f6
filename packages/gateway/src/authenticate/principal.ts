import {
  anonymousSubject,
  deepFreeze,
  type Delegation,
  type Facts,
  type Principal,
  type Unbranded,
} from '@behalf/identity'

/** The only cast to {@link Principal}. Not exported by the package: see `authenticate` and `principalFromDelegation`. */
export const toPrincipal = (fields: Unbranded<Principal>): Principal => deepFreeze(fields) as Principal

/** Of another, whose parts are frozen: they are not looked through again. */
const changed = (principal: Principal, change: Partial<Unbranded<Principal>>): Principal =>
  Object.freeze({ ...principal, ...deepFreeze(change) })

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
    facts: factsForAgents(delegation.facts),
    client,
    session,
    authTime,
    acr,
    actor: { agent, delegation: id, run, tool: null, call: null, parent },
    issuedAt,
    expiresAt: Math.floor(expiresAt.getTime() / 1000),
  })
}

/** Whoever shows a token of a client's, acting under the delegation that the user gave that client. */
export function principalOfClient(principal: Principal, delegation: Pick<Delegation, 'id'>): Principal {
  const { actor, facts } = principal
  if (actor === null) throw new TypeError('A person acts under no delegation.')
  return changed(principal, {
    facts: factsForAgents(facts),
    actor: { ...actor, delegation: delegation.id, run: 'mcp' },
  })
}

const factsForAgents = (facts: Facts): Facts =>
  Object.fromEntries(Object.entries(facts).filter(([name]) => !withheldFromAgents.has(name)))

/** The same caller, narrowed to one call of one tool: only the scopes it needs are left. */
export function narrowToTool(
  principal: Principal,
  tool: { readonly name: string; readonly call: string; readonly scopes: readonly string[] },
): Principal {
  const { actor } = principal
  if (actor === null) throw new TypeError('A person does not call tools.')
  return changed(principal, {
    scopes: principal.scopes.filter((scope) => tool.scopes.includes(scope)),
    actor: { ...actor, tool: tool.name, call: tool.call },
  })
}
