import type { OperationType } from '@behalf/identity'
import { Kind, parse } from 'graphql'
import { LRUCache } from 'lru-cache'

/** What the context token of a subgraph request says of its operation. */
export interface OperationShape {
  readonly type: OperationType
  /** Root fields by name, aliases aside. Plans put no fragments at the root. */
  readonly rootFields: readonly string[]
}

const shapes = new LRUCache<string, OperationShape>({ max: 5000 })

/** Of a plan's fetch, which holds exactly one operation; cached by its text. */
export function operationShape(text: string): OperationShape {
  const known = shapes.get(text)
  if (known !== undefined) return known
  const operation = parse(text, { noLocation: true }).definitions.find((definition) => definition.kind === Kind.OPERATION_DEFINITION)
  if (operation === undefined) throw new TypeError('A fetch without an operation.')
  const shape: OperationShape = {
    type: operation.operation,
    rootFields: operation.selectionSet.selections.flatMap((selection) => (selection.kind === Kind.FIELD ? [selection.name.value] : [])),
  }
  shapes.set(text, shape)
  return shape
}
