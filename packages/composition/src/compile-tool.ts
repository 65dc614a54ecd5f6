import { NoSchemaIntrospectionCustomRule, OperationTypeNode, print, specifiedRules, validate } from 'graphql'
import type { ToolDefinition } from '@behalf/identity'
import { conjoinRules, defaultRule, ruleOfField, type Rules } from './build-rules.ts'
import { canonicalHash } from './canonical-hash.ts'
import { usesOf, type FieldUse } from './field-uses.ts'
import type { ToolSource } from './find-tools.ts'
import { inputSchema } from './input-schema.ts'
import { outputSchema } from './output-schema.ts'
import type { Problems } from './problem.ts'
import { proveInputs, type InputProof } from './prove-inputs.ts'
import { proveLists } from './prove-lists.ts'
import { proveSummary } from './prove-summary.ts'
import type { ScalarSchemas } from './scalar-schemas.ts'
import { executableDocument, readBindings, readToolMark } from './tool-directives.ts'

const maxDescription = 1024

/** What tools are compiled against. */
export interface ToolGraph extends InputProof {
  readonly rules: Rules
  readonly scalars: ScalarSchemas
}

/** Compiles and proves one tool; null where the operation does not fit the graph, with problems in any case. */
export function compileTool(source: ToolSource, graph: ToolGraph, problems: Problems): ToolDefinition | null {
  const { operation, place } = source
  const mark = readToolMark(operation, problems)
  if (mark?.name != null && mark.name !== source.name) {
    problems.add('TOOL_NAME', place, `${source.name} is called ${mark.name} by its @tool.`)
  }
  const bindings = readBindings(operation, problems)
  const document = executableDocument(source.document, problems)
  if (operation.operation === OperationTypeNode.SUBSCRIPTION) {
    problems.add('TOOL_OPERATION', place, `${source.name} is a subscription.`)
    return null
  }
  const errors = validate(graph.api, document, [...specifiedRules, NoSchemaIntrospectionCustomRule])
  for (const error of errors) {
    problems.add('TOOL_INVALID', error.nodes?.find((node) => node.loc) ?? place, `${source.name}: ${error.message}`)
  }
  if (errors.length > 0) return null

  const { fields, conditions } = usesOf(graph.api, document, operation)
  proveAccess(source, fields, graph.rules, problems)
  proveInputs(graph, fields, bindings, place, problems)
  const bounding = proveLists(graph.declarations, fields, operation, place, problems)
  const description = operation.description?.value.trim() ?? ''
  if (description === '' || description.length > maxDescription) {
    const length = description === '' ? 'no description' : `a description of ${description.length} characters`
    problems.add('TOOL_DESCRIPTION', place, `${source.name} has ${length}.`)
  }

  const { scopes, policies } = conjoinRules([
    ...fields.map(({ coordinate, field }) => ruleOfField(graph.rules, coordinate, field.type)),
    ...[...conditions].map((type) => graph.rules[type] ?? defaultRule),
  ])
  const approved = fields.find((use) => use.enclosing === null && graph.rules[use.coordinate]?.agent === 'APPROVE')
  const bound = new Set(bindings.map(({ variable }) => variable))
  const parts = { ...graph, document, operation, uses: fields, bound, bounding, place }
  const tool: Omit<ToolDefinition, 'version'> = {
    name: source.name,
    title: mark?.title ?? titleOf(source.name),
    description,
    inputSchema: inputSchema(parts, problems),
    outputSchema: outputSchema(parts, problems),
    operation: print(document),
    bindings,
    scopes,
    policies,
    readOnly: operation.operation === OperationTypeNode.QUERY,
    approval: approved?.field.name ?? null,
    summary: approved ? proveSummary(source, mark?.summary ?? null, bound, problems) : null,
    examples: mark?.examples ?? [],
  }
  return { ...tool, version: canonicalHash(tool) }
}

/** What an agent may not touch at all, and that a call is one effect. */
function proveAccess(source: ToolSource, fields: readonly FieldUse[], rules: Rules, problems: Problems): void {
  for (const use of fields) {
    if (rules[use.coordinate]?.agent === 'DENY') {
      problems.add(
        'TOOL_DENIED_FIELD',
        use.node.loc ? use.node : source.place,
        `${source.name} uses ${use.coordinate}, which is @agent(access: DENY).`,
      )
    }
  }
  const roots = new Set(
    fields.flatMap(({ enclosing, node }) => (enclosing ? [] : [node.alias?.value ?? node.name.value])),
  )
  if (source.operation.operation === OperationTypeNode.MUTATION && roots.size > 1) {
    problems.add(
      'TOOL_ROOTS',
      source.place,
      `${source.name} is a mutation over ${roots.size} fields: ${[...roots].join(', ')}.`,
    )
  }
}

/** `get_order_status` as `Get order status`. */
function titleOf(name: string): string {
  const words = name.replaceAll('_', ' ').trim()
  return words.charAt(0).toUpperCase() + words.slice(1)
}
