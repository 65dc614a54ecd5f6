import { getNamedType, isObjectType, Kind, parse } from 'graphql'
import type { GraphQLOutputType, GraphQLSchema, SelectionSetNode } from 'graphql'
import { defaultRule, describeRule, ruleOfField, type Rules } from './build-rules.ts'
import type { Declarations } from './declarations.ts'
import { fieldOf } from './field-uses.ts'
import { keysOf } from './merge-ownership.ts'
import type { Problems } from './problem.ts'
import { conjoin } from './scope-sets.ts'

/**
 * Proves that a plan can use keys for whoever may see the entity: the gateway asks for them whoever calls, as Federation
 * has it, and the subgraph that has them decides about them like about any other field.
 */
export function proveKeys(api: GraphQLSchema, rules: Rules, declarations: Declarations, problems: Problems): void {
  for (const [name, declared] of declarations.objects) {
    const type = api.getType(name)
    if (!isObjectType(type)) continue
    const entity = rules[name] ?? defaultRule
    for (const { node, fields } of declared.flatMap((each) =>
      keysOf(each.node).map((key) => ({ node: each.node, ...key })),
    )) {
      for (const { coordinate, returns } of fieldsOf(api, name, selectionOf(fields))) {
        const rule = ruleOfField(rules, coordinate, returns)
        const asks = {
          authenticated: rule.authenticated && !entity.authenticated && entity.scopes.length === 0,
          scopes: JSON.stringify(conjoin(entity.scopes, rule.scopes)) !== JSON.stringify(conjoin(entity.scopes, [])),
          policies: rule.policies.length > 0,
          agent: rule.agent !== 'ALLOW',
        }
        if (Object.values(asks).includes(true)) {
          const message = `${coordinate} is part of a @key of ${name} and asks for more than ${name} does (${describeRule(rule)}).`
          problems.add('KEY_RESTRICTED', node, message)
        }
      }
    }
  }
}

interface KeyField {
  readonly coordinate: string
  readonly returns: GraphQLOutputType
}

function fieldsOf(api: GraphQLSchema, parent: string, set: SelectionSetNode | undefined): KeyField[] {
  const type = api.getType(parent)
  return (set?.selections ?? []).flatMap((node): KeyField[] => {
    if (node.kind !== Kind.FIELD || !isObjectType(type)) return []
    const field = fieldOf(type, node.name.value)
    if (!field) return []
    const inner = fieldsOf(api, getNamedType(field.type).name, node.selectionSet)
    return [{ coordinate: `${parent}.${field.name}`, returns: field.type }, ...inner]
  })
}

/** Of a `@key`, which Federation has read before. */
function selectionOf(fields: string): SelectionSetNode | undefined {
  const [operation] = parse(`{ ${fields} }`, { noLocation: true }).definitions
  return operation?.kind === Kind.OPERATION_DEFINITION ? operation.selectionSet : undefined
}
