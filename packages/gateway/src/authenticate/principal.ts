import {
  anonymousSubject,
  deepFreeze,
  type Delegation,
  type Facts,
  inCall,
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
export const narrowToTool = (
  principal: Principal,
  { call, ...tool }: { readonly name: string; readonly call: string; readonly scopes: readonly string[] },
): Principal => inCall(ofTool(principal, tool), call)

/** As they call each tool, for as long as they are there. */
const callers = new WeakMap<Principal, Map<string, OfTool>>()

interface OfTool {
  readonly needed: readonly string[]
  readonly caller: Principal
}

function ofTool(
  principal: Principal,
  { name, scopes }: { readonly name: string; readonly scopes: readonly string[] },
): Principal {
  let byName = callers.get(principal)
  if (byName === undefined) callers.set(principal, (byName = new Map()))
  const known = byName.get(name)
  // Of another graph, a tool of the same name may need others.
  if (known !== undefined && areSame(known.needed, scopes)) return known.caller
  const { actor } = principal
  if (actor === null) throw new TypeError('A person does not call tools.')
  const caller = changed(principal, {
    scopes: principal.scopes.filter((scope) => scopes.includes(scope)),
    actor: { ...actor, tool: name, call: null },
  })
  byName.set(name, { needed: [...scopes], caller })
  return caller
}

/** Whether these are the same scopes, in the same order. */
export const areSame = (a: readonly string[], b: readonly string[]): boolean =>
  a === b || (a.length === b.length && a.every((scope, index) => scope === b[index]))
