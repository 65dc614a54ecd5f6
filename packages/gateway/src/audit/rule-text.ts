import { policyText, requiresScopesText, type ToolDefinition } from '@behalf/identity'

/** Everything that a caller has to have for a tool, as a schema writes it. */
export function ruleOfTool({ scopes, policies, approval }: ToolDefinition): string | null {
  const texts = [
    ...(scopes.length > 0 ? [requiresScopesText(scopes)] : []),
    ...(policies.length > 0 ? [policyText(policies)] : []),
    ...(approval === null ? [] : ['@agent(access: APPROVE)']),
  ]
  return texts.length > 0 ? texts.join(' ') : null
}
