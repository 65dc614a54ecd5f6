import { Kind, getNullableType, isAbstractType, isCompositeType, isEnumType, isListType, isNonNullType } from 'graphql'
import type {
  DirectiveNode,
  DocumentNode,
  FieldNode,
  FragmentDefinitionNode,
  GraphQLObjectType,
  GraphQLOutputType,
  GraphQLSchema,
  OperationDefinitionNode,
  SelectionSetNode,
} from 'graphql'
import type { JsonSchema } from '@behalf/identity'
import { fieldOf } from './field-uses.ts'
import type { Place, Problems } from './problem.ts'
import type { ScalarSchemas } from './scalar-schemas.ts'

export interface OutputSchemaParts {
  readonly api: GraphQLSchema
  readonly scalars: ScalarSchemas
  readonly document: DocumentNode
  readonly operation: OperationDefinitionNode
  readonly place: Place
}

/** Selections of one response key on one object type. */
interface Collected {
  readonly nodes: FieldNode[]
  /** Under no `@include` or `@skip`. */
  always: boolean
}

/** The JSON Schema (2020-12) of an operation's `data`: by response keys, exact for every type that can be returned. */
export function outputSchema(parts: OutputSchemaParts, problems: Problems): JsonSchema {
  const fragments = new Map(
    parts.document.definitions.flatMap((node) =>
      node.kind === Kind.FRAGMENT_DEFINITION ? [[node.name.value, node]] : [],
    ),
  )

  const objectSchema = (type: GraphQLObjectType, sets: readonly SelectionSetNode[]): JsonSchema => {
    const collected = new Map<string, Collected>()
    for (const set of sets) collect(parts.api, fragments, type, set, true, collected)
    const properties: Record<string, JsonSchema> = {}
    for (const [key, { nodes }] of collected) {
      const name = nodes[0]?.name.value ?? ''
      const field = fieldOf(type, name)
      const inner = nodes.flatMap(({ selectionSet }) => selectionSet ?? [])
      properties[key] = field ? withDescription(schemaOf(field.type, inner), field.description) : { const: type.name }
    }
    const required = [...collected].flatMap(([key, { always }]) => (always ? [key] : []))
    return { type: 'object', properties, required, additionalProperties: false }
  }

  const schemaOf = (type: GraphQLOutputType, sets: readonly SelectionSetNode[]): JsonSchema => {
    const schema = nonNullSchema(getNullableType(type), sets)
    return isNonNullType(type) ? schema : orNull(schema)
  }

  const nonNullSchema = (type: GraphQLOutputType, sets: readonly SelectionSetNode[]): JsonSchema => {
    if (isListType(type)) return { type: 'array', items: schemaOf(type.ofType as GraphQLOutputType, sets) }
    if (isAbstractType(type)) return anyOf(parts.api.getPossibleTypes(type).map((object) => objectSchema(object, sets)))
    if (isCompositeType(type)) return objectSchema(type, sets)
    if (isEnumType(type)) return { type: 'string', enum: type.getValues().map(({ name }) => name) }
    const schema = parts.scalars[String(type)]
    if (!schema)
      problems.add(
        'SCALAR_UNMAPPED',
        parts.place,
        `There is no JSON Schema for the scalar ${String(type)}, in the result.`,
      )
    return schema ?? {}
  }

  const root = parts.api.getRootType(parts.operation.operation)
  return root ? objectSchema(root, [parts.operation.selectionSet]) : {}
}

function collect(
  api: GraphQLSchema,
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
  type: GraphQLObjectType,
  set: SelectionSetNode,
  always: boolean,
  into: Map<string, Collected>,
): void {
  for (const selection of set.selections) {
    const certain = always && !isConditional(selection.directives)
    if (selection.kind === Kind.FIELD) {
      const key = selection.alias?.value ?? selection.name.value
      const known = into.get(key)
      if (known) {
        known.nodes.push(selection)
        known.always ||= certain
      } else into.set(key, { nodes: [selection], always: certain })
      continue
    }
    const fragment = selection.kind === Kind.INLINE_FRAGMENT ? selection : fragments.get(selection.name.value)
    if (!fragment) continue
    const condition = fragment.typeCondition && api.getType(fragment.typeCondition.name.value)
    const applies = !condition || condition === type || (isAbstractType(condition) && api.isSubType(condition, type))
    if (applies) collect(api, fragments, type, fragment.selectionSet, certain, into)
  }
}

function isConditional(directives: readonly DirectiveNode[] | undefined): boolean {
  return directives?.some(({ name }) => name.value === 'include' || name.value === 'skip') ?? false
}

/** What a field says of itself comes before what its type says. */
function withDescription(schema: JsonSchema, description: string | null | undefined): JsonSchema {
  return description ? { ...schema, description } : schema
}

function anyOf(schemas: readonly JsonSchema[]): JsonSchema {
  const distinct = [...new Map(schemas.map((schema) => [JSON.stringify(schema), schema])).values()]
  const [only] = distinct
  return distinct.length === 1 && only ? only : { anyOf: distinct }
}

function orNull(schema: JsonSchema): JsonSchema {
  const { type, description, ...rest } = schema
  if (typeof type === 'string' && !('enum' in schema) && !('const' in schema)) {
    return { type: [type, 'null'], ...rest, ...(description ? { description } : {}) }
  }
  return { anyOf: [schema, { type: 'null' }] }
}
