import { identityDirectiveNames, identityDirectives, readSubject } from '@behalf/identity'
import { GraphQLError, Kind, buildASTSchema, getDirectiveValues, parse, visit } from 'graphql'
import type { ASTNode, DirectiveNode, DocumentNode, OperationDefinitionNode } from 'graphql'
import type { ToolDefinition } from '@behalf/identity'
import type { Problems } from './problem.ts'

const definitions = buildASTSchema(parse(identityDirectives, { noLocation: true }), { assumeValidSDL: true })

export type Binding = ToolDefinition['bindings'][number]

/** What `@tool` says of an operation or a root field. */
export interface ToolMark {
  readonly name: string | null
  readonly title: string | null
  /** What a user is asked to approve, with `{variable}` for arguments. */
  readonly summary: string | null
  readonly examples: readonly string[]
}

/** Reads `@tool`; null where there is none. */
export function readToolMark(
  node: ASTNode & { readonly directives?: readonly DirectiveNode[] | undefined },
  problems: Problems,
): ToolMark | null {
  const directive = node.directives?.find(({ name }) => name.value === 'tool')
  const definition = definitions.getDirective('tool')
  if (!directive || !definition) return null
  for (const argument of directive.arguments ?? []) {
    if (!definition.args.some(({ name }) => name === argument.name.value)) {
      problems.add('DIRECTIVE_INVALID', argument, `@tool has no argument "${argument.name.value}".`)
    }
  }
  try {
    const { name, title, summary, examples } = getDirectiveValues(definition, { directives: [directive] }) ?? {}
    return {
      name: typeof name === 'string' ? name : null,
      title: typeof title === 'string' ? title : null,
      summary: typeof summary === 'string' ? summary : null,
      examples: Array.isArray(examples) ? examples.map(String) : [],
    }
  } catch (error) {
    if (!(error instanceof GraphQLError)) throw error
    problems.add('DIRECTIVE_INVALID', directive, error.message)
    return null
  }
}

/** Variables with `@subject`, and what of the caller fills them. */
export function readBindings(operation: OperationDefinitionNode, problems: Problems): Binding[] {
  return (operation.variableDefinitions ?? []).flatMap((definition): Binding[] => {
    const subject = readSubject(definition)
    if (!subject) return []
    const type = definition.type.kind === Kind.NON_NULL_TYPE ? definition.type.type : definition.type
    const isText = type.kind === Kind.NAMED_TYPE && (type.name.value === 'ID' || type.name.value === 'String')
    const variable = definition.variable.name.value
    if (!isText || definition.defaultValue) {
      problems.add('SUBJECT_TYPE', definition, `$${variable} is bound to the caller.`)
    }
    if (subject.claim !== 'sub' && subject.claim !== 'tenant') {
      problems.add('CLAIM_UNKNOWN', definition, `$${variable} is bound to the claim "${subject.claim}".`)
      return []
    }
    return [{ variable, claim: subject.claim }]
  })
}

/** The operation without our directives: what is executed. Directives that mean nothing in a tool are problems. */
export function executableDocument(document: DocumentNode, problems: Problems): DocumentNode {
  return visit(document, {
    Directive(node, _key, _parent, _path, ancestors) {
      const name = node.name.value
      if (name === 'include' || name === 'skip') return undefined
      const owner = ancestors.findLast((ancestor) => !('length' in ancestor))
      const kind = owner && 'kind' in owner ? owner.kind : null
      const allowed =
        (name === 'tool' && kind === Kind.OPERATION_DEFINITION) ||
        (name === 'subject' && kind === Kind.VARIABLE_DEFINITION)
      if (!allowed) problems.add('TOOL_DIRECTIVE', node, `@${name} has no meaning here.`)
      return identityDirectiveNames.has(name) ? null : undefined
    },
    OperationDefinition: { leave: withoutDescription },
    VariableDefinition: { leave: withoutDescription },
    FragmentDefinition: { leave: withoutDescription },
  })
}

/** Servers need not know descriptions in operations yet. */
function withoutDescription<N extends { readonly description?: unknown }>(node: N): Omit<N, 'description'> {
  const { description, ...rest } = node
  return description === undefined ? node : rest
}
