import {
  getNamedType,
  getNullableType,
  isAbstractType,
  isInterfaceType,
  isIntrospectionType,
  isListType,
  isNonNullType,
  isObjectType,
} from 'graphql'
import type { GraphQLCompositeType, GraphQLField, GraphQLObjectType, GraphQLOutputType, GraphQLSchema } from 'graphql'
import { defaultRule, describeRule, isDeniable, restricts, ruleOfField, type Rules } from './build-rules.ts'
import type { Declarations } from './declarations.ts'
import type { Ownerships } from './merge-ownership.ts'
import type { Problems } from './problem.ts'

/**
 * Proves of everything that a client can reach: every object type says whose it is, what is `@owned` is reached
 * through somebody's object only, and whatever can be withheld can be null (a denial must not kill its siblings).
 */
export function proveOwnership(
  api: GraphQLSchema,
  rules: Rules,
  ownerships: Ownerships,
  declarations: Declarations,
  problems: Problems,
): void {
  const roots = new Set([api.getQueryType(), api.getMutationType(), api.getSubscriptionType()])
  for (const type of reachableTypes(api)) {
    if (!isObjectType(type) && !isInterfaceType(type)) continue
    const isRoot = isObjectType(type) && roots.has(type)
    if (isObjectType(type) && !isRoot) {
      const all = declarations.objects.get(type.name) ?? []
      for (const { node, subgraph } of ownerships.unsaid.get(type.name) ??
        (ownerships.of.has(type.name) ? [] : all.slice(0, 1))) {
        problems.add('OWNERSHIP_UNSAID', node, `${subgraph} does not say whose objects of the type ${type.name} are.`)
      }
    }
    for (const field of Object.values(type.getFields())) {
      const coordinate = `${type.name}.${field.name}`
      const place = declarations.fields.get(coordinate)?.[0]?.node
      const rule = ruleOfField(rules, coordinate, field.type)
      if (isDeniable(rule) && isNonNullType(field.type)) {
        problems.add('NOT_NULLABLE', place, `${coordinate} is restricted (${describeRule(rule)}) and cannot be null.`)
      }
      const possible = possibleObjects(api, field)
      const restricted = isAbstractType(getNamedType(field.type))
        ? possible.find((object) => restricts(rules[object.name] ?? defaultRule))
        : undefined
      if (restricted && hasNonNullPosition(field.type)) {
        problems.add(
          'NOT_NULLABLE',
          place,
          `${coordinate} can be ${restricted.name}, which is restricted, and cannot be null.`,
        )
      }
      const owner = possible.find((object) => ownerships.of.get(object.name)?.kind === 'owner')
      if (owner && hasNonNullPosition(field.type)) {
        problems.add(
          'NOT_NULLABLE',
          place,
          `${coordinate} returns ${owner.name}, which is withheld from others, and cannot be null.`,
        )
      }
      if (isInterfaceType(type)) continue
      for (const object of possible) {
        const ownership = ownerships.of.get(object.name)
        if (ownership?.kind !== 'owned') continue
        const parent = ownerships.of.get(type.name)
        const owned = !isRoot && (parent === undefined || parent.kind !== 'public')
        const expected = ownership.through === 'parent' || ownership.through === type.name
        if (!owned || !expected) {
          const through = ownership.through === 'parent' ? 'an owned parent' : ownership.through
          problems.add(
            'OWNED_WITHOUT_PARENT',
            place,
            `${coordinate} returns ${object.name}, which is reached through ${through} only.`,
          )
        }
      }
    }
  }
}

/** Every composite type that a client can get to, introspection apart. */
function reachableTypes(api: GraphQLSchema): Set<GraphQLCompositeType> {
  const reached = new Set<GraphQLCompositeType>()
  const visit = (type: unknown): void => {
    if (!isObjectType(type) && !isAbstractType(type)) return
    if (reached.has(type) || isIntrospectionType(type)) return
    reached.add(type)
    if (isAbstractType(type)) api.getPossibleTypes(type).forEach(visit)
    if (isObjectType(type) || isInterfaceType(type)) {
      for (const field of Object.values(type.getFields())) visit(getNamedType(field.type))
    }
  }
  for (const root of [api.getQueryType(), api.getMutationType(), api.getSubscriptionType()]) visit(root)
  return reached
}

/** The object types that a field can return, through lists, interfaces and unions. */
export function possibleObjects(
  api: GraphQLSchema,
  field: GraphQLField<unknown, unknown>,
): readonly GraphQLObjectType[] {
  const type = getNamedType(field.type)
  if (isObjectType(type)) return [type]
  return isAbstractType(type) ? api.getPossibleTypes(type) : []
}

/** Whether an object in this position, as the field's value or as an item of a list, cannot be null. */
function hasNonNullPosition(type: GraphQLOutputType): boolean {
  const nullable = getNullableType(type)
  if (isListType(nullable)) return hasNonNullPosition(nullable.ofType)
  return isNonNullType(type)
}
