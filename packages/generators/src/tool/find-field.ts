import { names } from '@nx/devkit'
import {
  buildASTSchema,
  getNamedType,
  isLeafType,
  isObjectType,
  isRequiredArgument,
  Kind,
  parse,
  print,
  type DefinitionNode,
  type GraphQLField,
  type GraphQLObjectType,
  type GraphQLSchema,
} from 'graphql'

export interface ToolField {
  readonly on: 'User' | 'Query' | 'Mutation'
  readonly name: string
  /** What the schema says of it; empty where it says nothing. */
  readonly description: string
  readonly arguments: readonly {
    readonly name: string
    /** With its default, as a variable is declared. */
    readonly type: string
    readonly isRequired: boolean
  }[]
  /** GraphQL text of what is asked for of its answer, in braces; empty for a scalar. */
  readonly selection: string
}

/** `User`'s are asked for by way of `viewer`. */
const roots = ['User', 'Query', 'Mutation'] as const
/** A tool asks for what an answer needs; deeper is for whoever knows what that is. */
const deepest = 4

/**
 * The field of an app's schema that a tool is for.
 *
 * @param wanted - its name; null for the one that the tool's name ends with, or else the first of User
 * @throws {Error} that names the fields that there are
 */
export function findField(sdl: string, tool: string, wanted: string | null): ToolField {
  const schema = readSchema(sdl)
  const all = roots.flatMap((on) => fieldsOf(schema, on).map((field) => ({ on, field })))
  const found =
    wanted === null
      ? (all.find(({ field }) => field.name === names(tool).propertyName) ??
        all.find(({ field }) => endsAs(tool, field.name)) ??
        all[0])
      : all.find(({ field }) => field.name === wanted)
  if (!found) {
    const there = all.map(({ on, field }) => `${on}.${field.name}`).join(', ')
    throw new Error(
      `${wanted === null ? 'There is nothing to ask for' : `There is no field "${wanted}"`}. There are: ${there || 'none'}.`,
    )
  }
  const { on, field } = found
  return {
    on,
    name: field.name,
    description: field.description ?? '',
    arguments: field.args.map((argument) => ({
      name: argument.name,
      type: [
        argument.type.toString(),
        ...(argument.astNode?.defaultValue ? [print(argument.astNode.defaultValue)] : []),
      ].join(' = '),
      isRequired: isRequiredArgument(argument),
    })),
    selection: selectionOf(field, ['User']),
  }
}

/** Of a subgraph: directives of federation are not defined in it, and types may be defined elsewhere. */
function readSchema(sdl: string): GraphQLSchema {
  const definitions = parse(sdl).definitions.flatMap((node): DefinitionNode[] => {
    if (node.kind === Kind.SCHEMA_EXTENSION) return []
    return [node.kind === Kind.OBJECT_TYPE_EXTENSION ? { ...node, kind: Kind.OBJECT_TYPE_DEFINITION } : node]
  })
  return buildASTSchema({ kind: Kind.DOCUMENT, definitions }, { assumeValid: true, assumeValidSDL: true })
}

function fieldsOf(schema: GraphQLSchema, on: (typeof roots)[number]): GraphQLField<unknown, unknown>[] {
  const type = schema.getType(on)
  if (!isObjectType(type)) return []
  return Object.values(type.getFields()).filter(({ name }) => on !== 'User' || !keysOf(type).has(name))
}

/** Fields by which the type is found: other subgraphs have them, too. */
function keysOf(type: GraphQLObjectType): ReadonlySet<string> {
  const keys = (type.astNode?.directives ?? []).flatMap((directive) =>
    directive.name.value === 'key' ? (directive.arguments ?? []).map(({ value }) => value) : [],
  )
  return new Set(keys.flatMap((value) => (value.kind === Kind.STRING ? value.value.split(/\W+/) : [])))
}

/** `get_points` is for `points`, and for `loyaltyPoints`. */
function endsAs(tool: string, field: string): boolean {
  const [, ...rest] = tool.split('_')
  return rest.length > 0 && names(field).fileName.endsWith(rest.join('-'))
}

/** @param above - types that are being selected from: what leads back to them is left out */
function selectionOf({ type }: GraphQLField<unknown, unknown>, above: readonly string[]): string {
  const named = getNamedType(type)
  if (!isObjectType(named) || above.includes(named.name) || above.length > deepest) return ''
  const parts = Object.values(named.getFields()).flatMap((field) => {
    if (field.args.some(isRequiredArgument)) return []
    if (isLeafType(getNamedType(field.type))) return [field.name]
    const selection = selectionOf(field, [...above, named.name])
    return selection === '' ? [] : [`${field.name} ${selection}`]
  })
  return parts.length === 0 ? '' : `{ ${parts.join(' ')} }`
}
