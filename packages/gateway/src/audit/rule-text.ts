import type { FieldRule, Graph, ToolDefinition } from '@behalf/identity'
import type { Denial } from '../authorize/denial.ts'

/** The rule that denied a coordinate, as a schema writes it; a field without one has its type's. */
export function ruleOfDenial(
  rules: Graph['rules'],
  { coordinate, code }: Pick<Denial, 'coordinate' | 'code'>,
): string | null {
  const [type = ''] = coordinate.split('.')
  const texts = [coordinate, type].map((place) => {
    const rule = rules[place]
    return rule === undefined ? null : ruleText(rule, code)
  })
  return texts.find((text) => text !== null) ?? null
}

function ruleText({ authenticated, scopes, policies, agent }: FieldRule, code: Denial['code']): string | null {
  if (code === 'AGENT_DENIED' || code === 'APPROVAL_REQUIRED')
    return agent === 'ALLOW' ? null : `@agent(access: ${agent})`
  if (code === 'UNAUTHENTICATED' && authenticated) return '@authenticated'
  if (scopes.length > 0) return scopesText(scopes)
  return policies.length > 0 ? `@policy(policies: ${setsText(policies)})` : null
}

/** Everything that a caller has to have for a tool. */
export function ruleOfTool({ scopes, policies, approval }: ToolDefinition): string | null {
  const texts = [
    ...(scopes.length > 0 ? [scopesText(scopes)] : []),
    ...(policies.length > 0 ? [`@policy(policies: ${setsText(policies)})`] : []),
    ...(approval === null ? [] : ['@agent(access: APPROVE)']),
  ]
  return texts.length > 0 ? texts.join(' ') : null
}

const scopesText = (sets: FieldRule['scopes']) => `@requiresScopes(scopes: ${setsText(sets)})`
const setsText = (sets: FieldRule['scopes']) =>
  `[${sets.map((set) => `[${set.map((name) => `"${name}"`).join(', ')}]`).join(', ')}]`
