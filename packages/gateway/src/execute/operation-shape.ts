import type { OperationType } from '@behalf/identity'
import {
  buildASTSchema,
  type FragmentDefinitionNode,
  type GraphQLNamedType,
  type GraphQLOutputType,
  isInterfaceType,
  isListType,
  isNonNullType,
  isObjectType,
  Kind,
  parse,
  type SelectionSetNode,
} from 'graphql'
import { LRUCache } from 'lru-cache'
import { type AnswerShape, fits } from './answer-shape.ts'

/** What the gateway has to know of a plan's fetch. */
export interface OperationShape {
  /** What the context token says of it. */
  readonly type: OperationType
  /** Root fields by name, aliases aside. */
  readonly rootFields: readonly string[]
  /** Where the answer has what was asked for, by response name: of the root, or of the entities. */
  readonly keys: readonly string[]
  /** Whether an answer is made of objects, lists and values where the operation has them. */
  fits(data: unknown): boolean
}

/** Reads fetches, each of which holds exactly one operation, against the supergraph; cached by their text. */
export function createOperationShapes(supergraph: string): (text: string) => OperationShape {
  const schema = buildASTSchema(parse(supergraph), { assumeValid: true })
  const shapes = new LRUCache<string, OperationShape>({ max: 5000 })

  function read(text: string): OperationShape {
    const { definitions } = parse(text, { noLocation: true })
    const operation = definitions.find((definition) => definition.kind === Kind.OPERATION_DEFINITION)
    if (operation === undefined) throw new TypeError('A fetch without an operation.')
    const fragments = new Map(
      definitions.flatMap((each) => (each.kind === Kind.FRAGMENT_DEFINITION ? [[each.name.value, each] as const] : [])),
    )
    const rootFields = new Set<string>()
    const root = shapeOf(
      operation.selectionSet,
      schema.getRootType(operation.operation) ?? undefined,
      fragments,
      rootFields,
    )
    const fields = root.get('_entities')?.fields ?? root
    return {
      type: operation.operation,
      rootFields: [...rootFields],
      keys: [...fields.keys()].filter((key) => key !== '__typename'),
      fits: (data) => fits({ lists: 0, fields: root }, data),
    }
  }

  /** Fields of a selection set by response name; of fragments, all of them, since those of one name have one shape. */
  function shapeOf(
    { selections }: SelectionSetNode,
    parent: GraphQLNamedType | undefined,
    fragments: ReadonlyMap<string, FragmentDefinitionNode>,
    names = new Set<string>(),
  ): Map<string, AnswerShape> {
    const shape = new Map<string, AnswerShape>()
    for (const selection of selections) {
      if (selection.kind === Kind.FIELD) {
        const { name, alias, selectionSet } = selection
        names.add(name.value)
        const { lists, type } = typeOf(parent, name.value)
        add(shape, (alias ?? name).value, {
          lists,
          fields: selectionSet ? shapeOf(selectionSet, type, fragments) : null,
        })
      } else {
        const fragment = selection.kind === Kind.INLINE_FRAGMENT ? selection : fragments.get(selection.name.value)
        const condition = fragment?.typeCondition?.name.value
        const type = condition === undefined ? parent : schema.getType(condition)
        if (fragment)
          for (const [key, each] of shapeOf(fragment.selectionSet, type, fragments, names)) add(shape, key, each)
      }
    }
    return shape
  }

  return (text) => {
    const known = shapes.get(text)
    if (known !== undefined) return known
    const shape = read(text)
    shapes.set(text, shape)
    return shape
  }
}

function typeOf(
  parent: GraphQLNamedType | undefined,
  field: string,
): { lists: number; type: GraphQLNamedType | undefined } {
  // Not in the supergraph: each subgraph has its own.
  if (field === '_entities') return { lists: 1, type: undefined }
  let type: GraphQLOutputType | undefined =
    isObjectType(parent) || isInterfaceType(parent) ? parent.getFields()[field]?.type : undefined
  let lists = 0
  while (isNonNullType(type) || isListType(type)) {
    if (isListType(type)) lists++
    type = type.ofType as GraphQLOutputType
  }
  return { lists, type }
}

function add(shape: Map<string, AnswerShape>, key: string, { lists, fields }: AnswerShape): void {
  const known = shape.get(key)?.fields
  const merged = fields && new Map(known)
  if (merged) for (const [name, field] of fields) add(merged, name, field)
  shape.set(key, { lists, fields: merged })
}
