import { holdsOneOf, type Identity, type Ownership, readClaim, readOwnership } from '@behalf/identity'
import {
  defaultTypeResolver,
  getNullableType,
  type GraphQLAbstractType,
  type GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLResolveInfo,
  type GraphQLSchema,
  isAbstractType,
  isListType,
  isObjectType,
} from 'graphql'
import { type RequestContext, withhold } from './request-context.ts'

/** What may be shown of a resolved value: the value itself, with null for every foreign object in it. */
type Check = (value: unknown, context: RequestContext<unknown>, info: GraphQLResolveInfo) => unknown
type Owner = Extract<Ownership, { kind: 'owner' }>

/**
 * Enforces `@owner` on what a field resolves to: objects, lists of them, and what interfaces and unions stand for.
 * A foreign object becomes null, as one that does not exist: its reader is told nothing, the log is.
 *
 * @returns null where nothing of this type has an owner, so that such fields cost nothing.
 */
export function ownerCheck(schema: GraphQLSchema, type: GraphQLOutputType): Check | null {
  const check = checkOf(schema, getNullableType(type))
  if (!check) return null
  const settled: Check = (value, context, info) => {
    if (isPromise(value)) return value.then((result) => settled(result, context, info))
    // An error in place of a value: GraphQL throws it there.
    return value === null || value === undefined || value instanceof Error ? value : check(value, context, info)
  }
  return settled
}

function checkOf(schema: GraphQLSchema, type: GraphQLOutputType): Check | null {
  if (isObjectType(type)) return objectCheck(type)
  if (isAbstractType(type)) return abstractCheck(schema, type)
  const item = isListType(type) ? ownerCheck(schema, type.ofType) : null
  return item && listCheck(item)
}

function objectCheck(type: GraphQLObjectType): Check | null {
  const owner = ownerOf(type)
  if (!owner) return null
  const claimOf = readClaim(`@owner of ${type.name}`, owner.claim)
  const rule = ownerText(owner)
  return (value, context, { parentType, fieldName }) => {
    const { identity } = context
    const withheld = (why: 'foreign' | 'ownerless') => {
      context[withhold]({ type: type.name, coordinate: `${parentType.name}.${fieldName}`, rule, why })
      return null
    }
    return settle(property(value, owner.field), (ownedBy) => {
      if (typeof ownedBy !== 'string' || ownedBy === '') return withheld('ownerless')
      if (ownedBy === claimOf(identity)) return value
      if (!maySeeOthers(identity, owner)) return withheld('foreign')
      return settle(property(value, 'tenant'), (tenant) =>
        typeof tenant === 'string' && tenant === identity.tenant ? value : withheld('foreign'),
      )
    })
  }
}

const ownerText = ({ field, claim }: Owner) =>
  `@owner(field: "${field}"${claim === 'sub' ? '' : `, claim: "${claim}"`})`

/** An agent never may, whatever it holds. */
const maySeeOthers = (identity: Identity, { unless }: Owner) => identity.actor === null && holdsOneOf(identity, unless)

function abstractCheck(schema: GraphQLSchema, type: GraphQLAbstractType): Check | null {
  const checks = new Map(
    schema.getPossibleTypes(type).flatMap((possible): [unknown, Check][] => {
      const check = objectCheck(possible)
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

/** What cannot be iterated GraphQL refuses. */
function listCheck(check: Check): Check {
  return (values, context, info) =>
    isIterable(values) ? Array.from(values, (item) => only(item, context, info)) : values

  /** An error in one item is that item's. */
  function only(...item: Parameters<Check>): unknown {
    try {
      return check(...item)
    } catch (error) {
      return error instanceof Error ? error : new Error('An item could not be checked.', { cause: error })
    }
  }
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

/** As GraphQL sees it. */
const isPromise = (value: unknown): value is Promise<unknown> =>
  typeof (value as { readonly then?: unknown } | null | undefined)?.then === 'function'

const settle = (value: unknown, use: (value: unknown) => unknown): unknown =>
  isPromise(value) ? value.then(use) : use(value)

const isIterable = (value: unknown): value is Iterable<unknown> =>
  typeof value === 'object' && value !== null && Symbol.iterator in value
