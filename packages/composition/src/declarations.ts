import { Kind } from 'graphql'
import type {
  DocumentNode,
  FieldDefinitionNode,
  InputValueDefinitionNode,
  InterfaceTypeDefinitionNode,
  InterfaceTypeExtensionNode,
  ObjectTypeDefinitionNode,
  ObjectTypeExtensionNode,
} from 'graphql'
import type { OperationType } from '@behalf/identity'
import type { SubgraphSource } from './read-subgraph.ts'

/** Something that one subgraph declares; types and their extensions are declared in several nodes. */
export interface Declared<N> {
  readonly subgraph: string
  readonly node: N
  /** The operation type, where `node` is a root type or a field of one. */
  readonly root: OperationType | null
}

export type ObjectNode = ObjectTypeDefinitionNode | ObjectTypeExtensionNode
type ComposedNode = ObjectNode | InterfaceTypeDefinitionNode | InterfaceTypeExtensionNode

/** Everything that the subgraphs declare, by the coordinate it has in the composed graph. */
export interface Declarations {
  /** By type name. */
  readonly objects: ReadonlyMap<string, readonly Declared<ObjectNode>[]>
  /** By `Type.field`, interfaces included. */
  readonly fields: ReadonlyMap<string, readonly Declared<FieldDefinitionNode>[]>
  /** By `Type.field(argument:)` and `Input.field`. */
  readonly inputs: ReadonlyMap<string, readonly Declared<InputValueDefinitionNode>[]>
}

const rootNames = { query: 'Query', mutation: 'Mutation', subscription: 'Subscription' } as const

export function indexDeclarations(subgraphs: readonly SubgraphSource[]): Declarations {
  const objects = new Map<string, Declared<ObjectNode>[]>()
  const fields = new Map<string, Declared<FieldDefinitionNode>[]>()
  const inputs = new Map<string, Declared<InputValueDefinitionNode>[]>()
  for (const { app, document } of subgraphs) {
    const roots = rootTypes(document)
    const declared = <N>(node: N, root: OperationType | null): Declared<N> => ({ subgraph: app.name, node, root })
    for (const node of document.definitions) {
      if (node.kind === Kind.INPUT_OBJECT_TYPE_DEFINITION || node.kind === Kind.INPUT_OBJECT_TYPE_EXTENSION) {
        for (const field of node.fields ?? [])
          push(inputs, `${node.name.value}.${field.name.value}`, declared(field, null))
      }
      if (!isComposed(node)) continue
      const root = roots.get(node.name.value) ?? null
      const type = root ? rootNames[root] : node.name.value
      if (node.kind === Kind.OBJECT_TYPE_DEFINITION || node.kind === Kind.OBJECT_TYPE_EXTENSION) {
        push(objects, type, declared(node, root))
      }
      for (const field of node.fields ?? []) {
        const coordinate = `${type}.${field.name.value}`
        push(fields, coordinate, declared(field, root))
        for (const argument of field.arguments ?? []) {
          push(inputs, `${coordinate}(${argument.name.value}:)`, declared(argument, null))
        }
      }
    }
  }
  return { objects, fields, inputs }
}

function isComposed(node: { readonly kind: Kind }): node is ComposedNode {
  return (
    node.kind === Kind.OBJECT_TYPE_DEFINITION ||
    node.kind === Kind.OBJECT_TYPE_EXTENSION ||
    node.kind === Kind.INTERFACE_TYPE_DEFINITION ||
    node.kind === Kind.INTERFACE_TYPE_EXTENSION
  )
}

/** A subgraph may name its root types as it likes; composed they are Query, Mutation and Subscription. */
function rootTypes(document: DocumentNode): Map<string, OperationType> {
  const roots = new Map<string, OperationType>([
    ['Query', 'query'],
    ['Mutation', 'mutation'],
    ['Subscription', 'subscription'],
  ])
  for (const node of document.definitions) {
    if (node.kind !== Kind.SCHEMA_DEFINITION && node.kind !== Kind.SCHEMA_EXTENSION) continue
    for (const { operation, type } of node.operationTypes ?? []) roots.set(type.name.value, operation)
  }
  return roots
}

function push<N>(index: Map<string, N[]>, key: string, value: N): void {
  const values = index.get(key)
  if (values) values.push(value)
  else index.set(key, [value])
}
