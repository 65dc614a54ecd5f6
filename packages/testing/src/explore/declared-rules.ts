import { type DeclaredRule, type Ownership, readOwnership, readRule } from '@behalf/identity'
import {
  getDirectiveValues,
  getNamedType,
  GraphQLBoolean,
  GraphQLDirective,
  type GraphQLField,
  GraphQLNonNull,
  type GraphQLNamedType,
  type GraphQLObjectType,
  type GraphQLSchema,
  GraphQLString,
  isInterfaceType,
  isObjectType,
} from 'graphql'

export type Field = GraphQLField<unknown, unknown>

/** Types that a client can ask for, with the three roots; Federation's own are left out. */
export function objectTypes(schema: GraphQLSchema): GraphQLObjectType[] {
  return Object.values(schema.getTypeMap()).filter(
    (type): type is GraphQLObjectType => isObjectType(type) && !type.name.startsWith('_'),
  )
}

/** Everything that is asked of a caller of one field: by itself, by the types it is between, and by interfaces. */
export function rulesOf(schema: GraphQLSchema, type: GraphQLObjectType, field: Field): DeclaredRule[] {
  const isMutation = type === schema.getMutationType()
  const ofInterfaces = type.getInterfaces().flatMap((parent) => parent.getFields()[field.name]?.astNode ?? [])
  return [
    readRule(field.astNode ?? {}, isMutation ? 'mutation' : null),
    ...[...ofInterfaces, ...declarationsOf(type), ...declarationsOf(getNamedType(field.type))].map((node) =>
      readRule(node, null),
    ),
  ]
}

/** Whose the objects of a type are; null where nobody said. */
export function ownershipOf(type: GraphQLObjectType): Ownership | null {
  const nodes = [...(type.astNode ? [type.astNode] : []), ...type.extensionASTNodes]
  return nodes.map(readOwnership).find((ownership) => ownership !== null) ?? null
}

/** The first `@key` that is a list of plain fields and is resolved here; null for a type without one. */
export function keyOf(type: GraphQLNamedType): readonly string[] | null {
  if (!isObjectType(type)) return null
  const keys = declarationsOf(type).flatMap(({ directives = [] }) =>
    directives
      .filter(({ name }) => name.value === 'key')
      .map((node) => getDirectiveValues(key, { directives: [node] })),
  )
  const plain = keys
    .filter((values) => values?.['resolvable'] !== false)
    .map((values) => String(values?.['fields']).trim())
    .find((fields) => /^[\w\s,]+$/.test(fields))
  return plain?.split(/[\s,]+/) ?? null
}

const key = new GraphQLDirective({
  name: 'key',
  locations: [],
  args: { fields: { type: new GraphQLNonNull(GraphQLString) }, resolvable: { type: GraphQLBoolean } },
})

function declarationsOf(type: GraphQLNamedType) {
  const interfaces = isObjectType(type) || isInterfaceType(type) ? type.getInterfaces() : []
  return [type, ...interfaces].flatMap(({ astNode, extensionASTNodes }) => [
    ...(astNode ? [astNode] : []),
    ...extensionASTNodes,
  ])
}
