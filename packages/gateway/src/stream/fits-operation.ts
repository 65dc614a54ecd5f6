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

/** Whether an event is made of objects, lists and values where its operation has them. */
export type FitsOperation = (operation: string, data: unknown) => boolean

/** Reads operations, one in each text, against the supergraph; kept by their text. */
export function createFitsOperation(supergraph: string): FitsOperation {
  const schema = buildASTSchema(parse(supergraph), { assumeValid: true })
  const shapes = new LRUCache<string, AnswerShape>({ max: 5000 })

  function read(text: string): AnswerShape {
    const { definitions } = parse(text, { noLocation: true })
    const operation = definitions.find((definition) => definition.kind === Kind.OPERATION_DEFINITION)
    if (operation === undefined) throw new TypeError('A text without an operation.')
    const fragments = new Map(
      definitions.flatMap((each) => (each.kind === Kind.FRAGMENT_DEFINITION ? [[each.name.value, each] as const] : [])),
    )
    const root = schema.getRootType(operation.operation) ?? undefined
    return { lists: 0, fields: shapeOf(operation.selectionSet, root, fragments) }
  }

  /** Fields of a selection set by response name; of fragments, all of them, since those of one name have one shape. */
  function shapeOf(
    { selections }: SelectionSetNode,
    parent: GraphQLNamedType | undefined,
    fragments: ReadonlyMap<string, FragmentDefinitionNode>,
  ): Map<string, AnswerShape> {
    const shape = new Map<string, AnswerShape>()
    for (const selection of selections) {
      if (selection.kind === Kind.FIELD) {
        const { name, alias, selectionSet } = selection
        const { lists, type } = typeOf(parent, name.value)
        add(shape, (alias ?? name).value, {
          lists,
          fields: selectionSet ? shapeOf(selectionSet, type, fragments) : null,
        })
      } else {
        const fragment = selection.kind === Kind.INLINE_FRAGMENT ? selection : fragments.get(selection.name.value)
        const condition = fragment?.typeCondition?.name.value
        const type = condition === undefined ? parent : schema.getType(condition)
        if (fragment) for (const [key, each] of shapeOf(fragment.selectionSet, type, fragments)) add(shape, key, each)
      }
    }
    return shape
  }

  return (text, data) => {
    const shape = shapes.get(text) ?? read(text)
    shapes.set(text, shape)
    return fits(shape, data)
  }
}

function typeOf(
  parent: GraphQLNamedType | undefined,
  field: string,
): { lists: number; type: GraphQLNamedType | undefined } {
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
