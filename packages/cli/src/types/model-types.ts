import { readOwnership } from '@behalf/identity'
import {
  getNamedType,
  isInterfaceType,
  isIntrospectionType,
  isLeafType,
  isListType,
  isNonNullType,
  isObjectType,
  isUnionType,
  Kind,
} from 'graphql'
import type { GraphQLObjectType, GraphQLOutputType, GraphQLSchema } from 'graphql'

export interface ModelTypes {
  /** TypeScript of the models, in the order of the schema. */
  readonly text: string
  /** By name of the type of the graph: name of its model. */
  readonly mappers: Readonly<Record<string, string>>
}

/**
 * What resolvers return for each type, and are given as its parent: a row more often than what a client sees. Whose
 * it is has to be there, by the field that `@owner` names, and so do keys. Of an entity the rest may come from
 * resolvers; of other types, what cannot be null and takes no arguments is there, too.
 *
 * @param own - names of types that src/models.ts says otherwise of
 */
export function modelTypes(schema: GraphQLSchema, own: ReadonlySet<string>): ModelTypes {
  const roots = new Set<unknown>([schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()])
  const types = Object.values(schema.getTypeMap()).filter(
    (type) =>
      !isIntrospectionType(type) &&
      !roots.has(type) &&
      (isObjectType(type) || isInterfaceType(type) || isUnionType(type)) &&
      !type.name.startsWith('_'),
  )
  const texts = types.map((type) => {
    const name = modelOf(type.name)
    if (own.has(type.name)) return `export type { ${type.name} as ${name} } from '../models.ts'`
    if (isObjectType(type)) return objectModel(type)
    const members = isUnionType(type) || isInterfaceType(type) ? schema.getPossibleTypes(type) : []
    const variants = members.map((member) => `({ readonly __typename: '${member.name}' } & ${modelOf(member.name)})`)
    return `export type ${name} = ${variants.join(' | ') || 'never'}`
  })
  const imported = types.flatMap(({ name }) => (own.has(name) ? [`${name} as ${modelOf(name)}`] : []))
  const imports = imported.length === 0 ? [] : [`import type { ${imported.join(', ')} } from '../models.ts'`]
  return {
    text: [...imports, ...texts].join('\n\n'),
    mappers: Object.fromEntries(types.map(({ name }) => [name, modelOf(name)])),
  }
}

const modelOf = (type: string) => `${type}Model`

function objectModel(type: GraphQLObjectType): string {
  const declarations = [...(type.astNode ? [type.astNode] : []), ...type.extensionASTNodes]
  const keyed = declarations.flatMap(({ directives = [] }) => directives.filter(({ name }) => name.value === 'key'))
  const keys = new Set(
    keyed.flatMap(({ arguments: given = [] }) =>
      given.flatMap(({ value }) => (value.kind === Kind.STRING ? (value.value.match(/\w+/g) ?? []) : [])),
    ),
  )
  const owner = declarations.flatMap((node) => readOwnership(node) ?? []).find(({ kind }) => kind === 'owner')
  const ownerField = owner?.kind === 'owner' ? owner.field : null
  const isEntity = keys.size > 0
  const fields = type.getFields()
  const lines = Object.values(fields).map(({ name, args, type: returned }) => {
    const isThere = keys.has(name) || name === ownerField || (!isEntity && args.length === 0 && isNonNullType(returned))
    return `  readonly ${name}${isThere ? `: ${typeText(returned)}` : `?: ${typeText(returned)} | undefined`}`
  })
  if (ownerField !== null && !(ownerField in fields)) lines.unshift(`  readonly ${ownerField}: string`)
  return `export interface ${modelOf(type.name)} {\n${lines.join('\n')}\n}`
}

/** Of a value as it is stored: lists are read, and nothing is awaited. */
function typeText(type: GraphQLOutputType): string {
  if (!isNonNullType(type)) return `${nonNullText(type)} | null`
  return nonNullText(type.ofType as GraphQLOutputType)
}

function nonNullText(type: GraphQLOutputType): string {
  if (isListType(type)) return `ReadonlyArray<${typeText(type.ofType as GraphQLOutputType)}>`
  const { name } = getNamedType(type)
  if (!isLeafType(type)) return modelOf(name)
  return 'getValues' in type ? name : `Scalars['${name}']['output']`
}
