import { holdsOneOf, type Identity, type Ownership, readClaim, readOwnership } from '@behalf/identity'
import {
  defaultTypeResolver,
  getNamedType,
  getNullableType,
  type GraphQLAbstractType,
  type GraphQLList,
  type GraphQLNamedType,
  type GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLSchema,
  isAbstractType,
  isListType,
  isObjectType,
} from 'graphql'
import { type Check, connectionCheck, withheld } from './check-connections.ts'
import { withhold } from './request-context.ts'
import { isAbsent, isIterable, settle } from './settle.ts'

type Owner = Extract<Ownership, { kind: 'owner' }>
/** The value, with null in place of every object in it that is withheld. */
type Show = Check

/**
 * Enforces `@owner` on what a field resolves to: objects, lists of them, what interfaces and unions stand for, and
 * connections. A foreign object becomes null, as one that does not exist: its reader is told nothing, the log is.
 *
 * @returns null where nothing of this type has an owner, so that such fields cost nothing.
 */
export function ownerCheck(schema: GraphQLSchema, type: GraphQLOutputType): Show | null {
  const nullable = getNullableType(type)
  const show = isListType(nullable) ? showItems(schema, nullable) : showObject(schema, getNamedType(nullable))
  if (!show) return null
  return (value, context, info) => settle(value, (found) => (isAbsent(found) ? found : show(found, context, info)))
}

function showObject(schema: GraphQLSchema, type: GraphQLNamedType): Show | null {
  const check = checkOf(schema, type, [])
  return check && ((...object) => settle(check(...object), (shown) => (shown === withheld ? null : shown)))
}

/** What cannot be iterated GraphQL refuses. */
function showItems(schema: GraphQLSchema, type: GraphQLList<GraphQLOutputType>): Show | null {
  const show = ownerCheck(schema, type.ofType)
  return (
    show &&
    ((values, context, info) => (isIterable(values) ? Array.from(values, (item) => only(item, context, info)) : values))
  )

  /** An error in one item is that item's. */
  function only(...item: Parameters<Show>): unknown {
    try {
      return show?.(...item)
    } catch (error) {
      return error instanceof Error ? error : new Error('An item could not be checked.', { cause: error })
    }
  }
}

/** @param within - the types of what it is in: they may contain each other. */
function checkOf(schema: GraphQLSchema, type: GraphQLNamedType, within: readonly GraphQLNamedType[]): Check | null {
  if (isAbstractType(type)) return abstractCheck(schema, type, within)
  if (!isObjectType(type)) return null
  const owner = objectCheck(type)
  const connection = within.includes(type)
    ? null
    : connectionCheck(type, (part) => checkOf(schema, part, [...within, type]))
  if (!owner || !connection) return owner ?? connection
  return (value, context, info) =>
    settle(owner(value, context, info), (shown) => (shown === withheld ? shown : connection(shown, context, info)))
}

function objectCheck(type: GraphQLObjectType): Check | null {
  const owner = ownerOf(type)
  if (!owner) return null
  const claimOf = readClaim(`@owner of ${type.name}`, owner.claim)
  const rule = ownerText(owner)
  return (value, context, { parentType, fieldName }) => {
    const { identity } = context
    const report = (why: 'foreign' | 'ownerless') => {
      context[withhold]({ type: type.name, coordinate: `${parentType.name}.${fieldName}`, rule, why })
      return withheld
    }
    return settle(property(value, owner.field), (ownedBy) => {
      if (typeof ownedBy !== 'string' || ownedBy === '') return report('ownerless')
      if (ownedBy === claimOf(identity)) return value
      if (!maySeeOthers(identity, owner)) return report('foreign')
      return settle(property(value, 'tenant'), (tenant) =>
        typeof tenant === 'string' && tenant === identity.tenant ? value : report('foreign'),
      )
    })
  }
}

const ownerText = ({ field, claim }: Owner) =>
  `@owner(field: "${field}"${claim === 'sub' ? '' : `, claim: "${claim}"`})`

/** An agent never may, whatever it holds. */
const maySeeOthers = (identity: Identity, { unless }: Owner) => identity.actor === null && holdsOneOf(identity, unless)

function abstractCheck(
  schema: GraphQLSchema,
  type: GraphQLAbstractType,
  within: readonly GraphQLNamedType[],
): Check | null {
  const checks = new Map(
    schema.getPossibleTypes(type).flatMap((possible): [unknown, Check][] => {
      const check = checkOf(schema, possible, within)
      return check ? [[possible.name, check]] : []
    }),
  )
  if (checks.size === 0) return null
  const resolveType = type.resolveType ?? defaultTypeResolver
  return (value, context, info) =>
    settle(resolveType(value, context, info, type), (name) => {
      const check = checks.get(name)
      return check ? check(value, context, info) : value
    })
}

/** @throws {Error} where a type says it twice: compose and GraphQL's own rules refuse that, too. */
function ownerOf(type: GraphQLObjectType): Owner | null {
  const nodes = type.astNode ? [type.astNode, ...type.extensionASTNodes] : type.extensionASTNodes
  const [owner, ...others] = nodes.map(readOwnership).filter((ownership) => ownership?.kind === 'owner')
  if (others.length > 0) throw new Error(`${type.name} says twice whose it is.`)
  if (owner?.field === '') throw new Error(`@owner of ${type.name} names no field.`)
  return owner ?? null
}

/** A property of whatever a resolver gave; an id in place of an object has none. */
const property = (value: unknown, name: string): unknown => (value as Readonly<Record<string, unknown>>)[name]
