import type { OperationType } from '@behalf/identity'
import { Kind, parse, type SelectionNode } from 'graphql'
import { LRUCache } from 'lru-cache'

/** What the context token of a subgraph request says of its operation. */
export interface OperationShape {
  readonly type: OperationType
  /** Root fields by name, aliases aside. Plans put no fragments at the root. */
  readonly rootFields: readonly string[]
  /** Where the answer has what was asked for, by response name: of the root, or of the entities. */
  readonly keys: readonly string[]
}

const shapes = new LRUCache<string, OperationShape>({ max: 5000 })

/** Of a plan's fetch, which holds exactly one operation; cached by its text. */
export function operationShape(text: string): OperationShape {
  const known = shapes.get(text)
  if (known !== undefined) return known
  const operation = parse(text, { noLocation: true }).definitions.find((definition) => definition.kind === Kind.OPERATION_DEFINITION)
  if (operation === undefined) throw new TypeError('A fetch without an operation.')
  const { selections } = operation.selectionSet
  const fields = selections.filter((selection) => selection.kind === Kind.FIELD)
  const entities = fields.find(({ name }) => name.value === '_entities')
  const shape: OperationShape = {
    type: operation.operation,
    rootFields: fields.map(({ name }) => name.value),
    keys: [...new Set((entities?.selectionSet?.selections ?? selections).flatMap(responseKeys))],
  }
  shapes.set(text, shape)
  return shape
}

function responseKeys(selection: SelectionNode): string[] {
  if (selection.kind === Kind.INLINE_FRAGMENT) return selection.selectionSet.selections.flatMap(responseKeys)
  if (selection.kind === Kind.FRAGMENT_SPREAD || selection.name.value === '__typename') return []
  return [(selection.alias ?? selection.name).value]
}
