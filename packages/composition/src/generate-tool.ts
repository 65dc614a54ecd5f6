import {
  Kind,
  OperationTypeNode,
  astFromValue,
  getNamedType,
  isCompositeType,
  isLeafType,
  isRequiredArgument,
  parse,
  print,
} from 'graphql'
import type { GraphQLArgument, GraphQLField, GraphQLSchema } from 'graphql'
import { readSubject } from '@behalf/identity'
import { restricts, ruleOfField, type Rules } from './build-rules.ts'
import type { Declarations, Declared } from './declarations.ts'
import { fieldOf } from './field-uses.ts'
import type { ToolSource } from './find-tools.ts'
import type { Problems } from './problem.ts'
import { isListOfObjects } from './prove-lists.ts'
import { snakeCase } from './subject-names.ts'
import { readToolMark } from './tool-directives.ts'

const maxDepth = 2
const pageSize = 20
const operationTypes = {
  query: OperationTypeNode.QUERY,
  mutation: OperationTypeNode.MUTATION,
  subscription: OperationTypeNode.SUBSCRIPTION,
}

interface Generation {
  readonly api: GraphQLSchema
  readonly rules: Rules
  readonly declarations: Declarations
}

/**
 * Operations for the root fields that are marked `@tool`: every argument is a variable; the selection has the
 * scalars to depth 2, the first 20 of a list, and nothing that needs more than the field itself does.
 */
export function generateTools(generation: Generation, problems: Problems): ToolSource[] {
  return [...generation.declarations.fields].flatMap(([coordinate, declared]) =>
    declared.flatMap((declaration) => {
      const mark = readToolMark(declaration.node, problems)
      if (!mark) return []
      const root = generation.api.getRootType(operationTypes[declaration.root ?? 'query'])
      const field = root && fieldOf(root, declaration.node.name.value)
      if ((declaration.root !== 'query' && declaration.root !== 'mutation') || !field) {
        problems.add(
          'DIRECTIVE_MISPLACED',
          declaration.node,
          `@tool on ${coordinate}: tools are Query and Mutation fields.`,
        )
        return []
      }
      const name = mark.name ?? snakeCase(field.name)
      const text = operationText(generation, name, declaration.root, field, coordinate, mark)
      if (text === null || !/^[A-Za-z_]\w{0,63}$/.test(name)) {
        problems.add(
          'FIELD_NOT_GENERATABLE',
          declaration.node,
          `There is no operation for ${coordinate} as the tool "${name}".`,
        )
        return []
      }
      const document = parse(text, { noLocation: true })
      const operation = document.definitions.find((node) => node.kind === Kind.OPERATION_DEFINITION)
      return operation ? [{ name, document, operation, place: declaration.node, generated: true }] : []
    }),
  )
}

function operationText(
  generation: Generation,
  name: string,
  kind: 'query' | 'mutation',
  field: GraphQLField<unknown, unknown>,
  coordinate: string,
  mark: { readonly title: string | null; readonly summary: string | null; readonly examples: readonly string[] },
): string | null {
  const selection = selectionOf(generation, field, 1)
  if (selection === null) return null
  const variables = field.args.map((argument) =>
    variable(argument, generation.declarations.inputs.get(`${coordinate}(${argument.name}:)`)),
  )
  const given = field.args.map((argument) => `${argument.name}: $${argument.name}`)
  const title = mark.title === null ? '' : `title: ${JSON.stringify(mark.title)}, `
  const summary = mark.summary === null ? '' : `summary: ${JSON.stringify(mark.summary)}, `
  const description = field.description
    ? `${print({ kind: Kind.STRING, value: field.description, block: true })}\n`
    : ''
  return `${description}${kind} ${name}${inParentheses(variables)} @tool(${title}${summary}examples: ${JSON.stringify(mark.examples)}) {
    ${field.name}${inParentheses(given)} ${selection}
  }`
}

function variable(
  argument: GraphQLArgument,
  declared: readonly Declared<Parameters<typeof readSubject>[0]>[] = [],
): string {
  const subject = declared.map(({ node }) => readSubject(node)).find((mark) => mark !== null)
  if (subject) return `$${argument.name}: ${String(argument.type)} @subject(claim: ${JSON.stringify(subject.claim)})`
  const value = argument.defaultValue === undefined ? null : astFromValue(argument.defaultValue, argument.type)
  return `$${argument.name}: ${String(argument.type)}${value ? ` = ${print(value)}` : ''}`
}

/** Empty for scalars; null where nothing can be selected. */
function selectionOf(generation: Generation, field: GraphQLField<unknown, unknown>, depth: number): string | null {
  const type = getNamedType(field.type)
  if (isLeafType(type)) return ''
  if (!isCompositeType(type)) return null
  const inner = 'getFields' in type ? Object.values(type.getFields()) : []
  const selections = inner.flatMap((each) => {
    const rule = ruleOfField(generation.rules, `${type.name}.${each.name}`, each.type)
    if (restricts(rule) || rule.agent === 'DENY' || each.args.some((argument) => isRequiredArgument(argument)))
      return []
    if (isLeafType(getNamedType(each.type))) return [each.name]
    if (depth >= maxDepth) return []
    const page = each.args.find(({ name }) => name === 'first' || name === 'limit')
    if (isListOfObjects(each.type) && !page) return []
    const nested = selectionOf(generation, each, depth + 1)
    return nested ? [`${each.name}${page ? `(${page.name}: ${pageSize})` : ''} ${nested}`] : []
  })
  if (selections.length === 0 && 'getFields' in type) return null
  return `{ ${selections.join(' ') || '__typename'} }`
}

function inParentheses(parts: readonly string[]): string {
  return parts.length > 0 ? `(${parts.join(', ')})` : ''
}
