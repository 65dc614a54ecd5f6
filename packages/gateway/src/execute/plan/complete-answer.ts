import {
  type DocumentNode,
  executeSync,
  type FieldNode,
  type GraphQLCompositeType,
  type GraphQLInterfaceType,
  type GraphQLObjectType,
  isAbstractType,
  isCompositeType,
  isObjectType,
  isUnionType,
  Kind,
  type SelectionSetNode,
} from 'graphql'
import { asksForType, type ClientOperation, collectFields } from './collect-fields.ts'
import { completeValue } from './complete-value.ts'
import { type Complete, type Completion, misfit } from './completion.ts'

type Data = Readonly<Record<string, unknown>>

/** One field of an answer. */
interface FieldCompletion {
  readonly name: string
  readonly source: string
  readonly complete: Complete
}

/** Of an object of one type; compiled when the first one comes. */
interface ObjectCompletion {
  readonly fields: readonly FieldCompletion[]
  /** An alias that would change the answer's prototype if it were assigned. */
  readonly hasProto: boolean
}

export interface AnswerCompletion {
  /** Whether any field has to come from a subgraph. */
  readonly asksSubgraphs: boolean
  /** Makes the client's answer of what subgraphs had; null if null went all the way up. */
  complete(data: Data, at: Completion): Record<string, unknown> | null
}

/**
 * Compiles how an operation's answer is made of the data that subgraphs gave: what graphql-js does with the results of
 * resolvers, with no resolver left.
 */
export function compileAnswer(client: ClientOperation): AnswerCompletion {
  const { schema, operation } = client
  const root = schema.getRootType(operation.operation)
  if (!root) throw new TypeError(`There is no ${operation.operation} type.`)
  const shape = compileObject(client, root, [operation.selectionSet])
  return {
    asksSubgraphs: shape.fields.some(({ source }) => !source.startsWith('__')),
    complete: (data, at) => completeFields(shape, data, at),
  }
}

function completeFields({ fields, hasProto }: ObjectCompletion, data: Data, at: Completion) {
  const answer: Record<string, unknown> = {}
  const depth = at.depth++
  for (const { name, source, complete } of fields) {
    at.path[depth] = name
    const value = complete(data[source], at)
    if (value === undefined) {
      at.depth = depth
      return null
    }
    if (hasProto) Object.defineProperty(answer, name, { value, enumerable: true, configurable: true, writable: true })
    else answer[name] = value
  }
  at.depth = depth
  return answer
}

function compileObject(
  client: ClientOperation,
  type: GraphQLObjectType | GraphQLInterfaceType,
  sets: readonly SelectionSetNode[],
): ObjectCompletion {
  const collected = [...collectFields(client.schema, type, sets)]
  return {
    fields: collected.map(([name, nodes]) => compileField(client, type, name, nodes)),
    hasProto: collected.some(([name]) => name === '__proto__'),
  }
}

function compileField(
  client: ClientOperation,
  parent: GraphQLObjectType | GraphQLInterfaceType,
  name: string,
  nodes: readonly FieldNode[],
): FieldCompletion {
  const [node] = nodes
  if (node === undefined) throw new TypeError('A field without its nodes.')
  const field = node.name.value
  if (field === '__typename') return { name, source: field, complete: completeTypename(parent) }
  if (field.startsWith('__')) return { name, source: field, complete: introspect(client, name, nodes) }
  const type = parent.getFields()[field]?.type
  if (type === undefined) throw new TypeError(`There is no ${parent.name}.${field}: the operation was not validated.`)
  const sets = nodes.flatMap(({ selectionSet }) => selectionSet ?? [])
  const completeObject = (of: GraphQLCompositeType) =>
    isObjectType(of) ? completeOne(client, of, sets) : completeAny(client, of, sets)
  return { name, source: client.sourceOf(node), complete: completeValue(type, completeObject) }
}

/** Of an interface that only a subgraph with `@interfaceObject` knew, the object's type was not to be had. */
const completeTypename =
  (type: GraphQLObjectType | GraphQLInterfaceType): Complete =>
  (_value, at) => {
    if (isObjectType(type)) return type.name
    misfit(at)
    return undefined
  }

/** An object of a type that is known before. */
function completeOne(client: ClientOperation, type: GraphQLObjectType, sets: readonly SelectionSetNode[]): Complete {
  let shape: ObjectCompletion | undefined
  // Root types may have another name in a subgraph.
  const isRoot = client.schema.getQueryType() === type || client.schema.getMutationType() === type
  return (value, at) => {
    if (!isData(value)) return misfit(at)
    const typename = value['__typename']
    if (typename !== undefined && typename !== type.name && !isRoot) return misfit(at)
    return completeFields((shape ??= compileObject(client, type, sets)), value, at)
  }
}

/** An object that says its type. */
function completeAny(
  client: ClientOperation,
  declared: Exclude<GraphQLCompositeType, GraphQLObjectType>,
  sets: readonly SelectionSetNode[],
): Complete {
  const shapes = new Map<unknown, ObjectCompletion>()

  function compileFor(typename: unknown): ObjectCompletion | null {
    const type = runtimeType(client, declared, typename)
    // One whose type was not to be had is not what is left of it without the fragments on types: it is not known.
    if (type === null || (!isObjectType(type) && asksForType(client.schema, type, sets))) return null
    const shape = compileObject(client, type, sets)
    shapes.set(typename, shape)
    return shape
  }
  return (value, at) => {
    if (!isData(value)) return misfit(at)
    const typename = value['__typename']
    const shape = shapes.get(typename) ?? compileFor(typename)
    return shape ? completeFields(shape, value, at) : misfit(at)
  }
}

/**
 * Where a subgraph has a type as an `@interfaceObject`, all that is known may be the interface: its name as the type, or
 * no type since none was asked for.
 */
function runtimeType(
  { schema }: ClientOperation,
  declared: Exclude<GraphQLCompositeType, GraphQLObjectType>,
  typename: unknown,
): GraphQLObjectType | GraphQLInterfaceType | null {
  if (typename === undefined) return isUnionType(declared) ? null : declared
  if (typeof typename !== 'string') return null
  const type = schema.getType(typename)
  if (!isCompositeType(type) || isUnionType(type)) return null
  if (type === declared) return type
  return isAbstractType(declared) && schema.isSubType(declared, type) ? type : null
}

/** `__schema` and `__type` are of what clients see; graphql-js answers them. */
function introspect({ schema, operation }: ClientOperation, name: string, nodes: readonly FieldNode[]): Complete {
  const selectionSet: SelectionSetNode = { kind: Kind.SELECTION_SET, selections: nodes }
  const document: DocumentNode = { kind: Kind.DOCUMENT, definitions: [{ ...operation, selectionSet }] }
  return (_value, { variables }) => executeSync({ schema, document, variableValues: variables }).data?.[name] ?? null
}

const isData = (value: unknown): value is Data => typeof value === 'object' && value !== null && !Array.isArray(value)
