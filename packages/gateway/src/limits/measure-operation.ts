import { AppError } from '@behalf/identity'
import {
  type DocumentNode,
  type FieldNode,
  getNamedType,
  getVariableValues,
  type GraphQLCompositeType,
  type GraphQLOutputType,
  type GraphQLSchema,
  isCompositeType,
  isListType,
  isNonNullType,
  isUnionType,
  Kind,
  type OperationDefinitionNode,
  type SelectionNode,
  type SelectionSetNode,
} from 'graphql'
import { type Amount, once, sum, times, valueOf } from './amount.ts'
import { assumedSize, listSizeOf } from './list-size.ts'
import { whenIncluded } from './when-included.ts'

/** How much an operation asks for. A fragment counts wherever it is spread, each time. */
export interface OperationMeasures {
  /** Fields on the longest way down. */
  readonly depth: number
  readonly fields: number
  readonly rootFields: number
  readonly aliases: number
  readonly directives: number
  /** @param variables - as the client sent them; what is wrong with them is for the execution to say. */
  cost(variables: Readonly<Record<string, unknown>>): number
}

/** Of some selections. They cost `cost + perItem * items`, where `items` is what the object around them was asked for. */
interface Measured {
  readonly depth: number
  readonly fields: number
  /** Fields at the top. */
  readonly width: number
  readonly aliases: number
  readonly directives: number
  readonly cost: Amount
  readonly perItem: Amount
}

const nothing: Measured = { depth: 0, fields: 0, width: 0, aliases: 0, directives: 0, cost: 0, perItem: 0 }

/** Of any operation. */
const operationCost = 1
/** Of each field of Mutation, besides what it returns. */
const mutationCost = 10
/** Of `__schema` and of `__type`, with everything in it: no subgraph is asked, and graphql-js bounds how it nests. */
const introspectionCost = 100
/** Selections in each other, fragments included, that a walk follows: each takes some of the stack. */
const maxNesting = 1000

/**
 * Measures an operation in one walk that is no longer than its text: each fragment is measured once.
 *
 * @param document - one that validates against `schema`.
 * @throws {AppError} `OPERATION_TOO_COMPLEX` for one that is too deep for that.
 */
export function measureOperation(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
): OperationMeasures {
  const definitions = new Map(
    document.definitions.flatMap((node) => (node.kind === Kind.FRAGMENT_DEFINITION ? [[node.name.value, node]] : [])),
  )
  const fragments = new Map<string, Measured>()
  const deciding = new Set<string>()
  const uses = (variable: string) => void deciding.add(variable)
  let nesting = 0

  /** @param parent - undefined in what is introspection, which has one price. */
  function measureSet({ selections }: SelectionSetNode, parent: GraphQLCompositeType | undefined): Measured {
    if (++nesting > maxNesting)
      throw new AppError(
        'OPERATION_TOO_COMPLEX',
        `The operation asks for too much at once: nested over ${maxNesting} deep.`,
      )
    const parts = selections.map((node) => {
      const measured = node.kind === Kind.FIELD ? measureField(node, parent) : measureFragment(node, parent)
      const directives = measured.directives + (node.directives?.length ?? 0)
      const cost = whenIncluded(node, measured.cost, uses)
      return { ...measured, directives, cost, perItem: whenIncluded(node, measured.perItem, uses) }
    })
    nesting--
    const total = (of: 'fields' | 'width' | 'aliases' | 'directives') => parts.reduce((all, part) => all + part[of], 0)
    return {
      depth: Math.max(...parts.map(({ depth }) => depth)),
      fields: total('fields'),
      width: total('width'),
      aliases: total('aliases'),
      directives: total('directives'),
      cost: sum(parts.map(({ cost }) => cost)),
      perItem: sum(parts.map(({ perItem }) => perItem)),
    }
  }

  function measureField(node: FieldNode, parent: GraphQLCompositeType | undefined): Measured {
    const field = parent === undefined || isUnionType(parent) ? undefined : parent.getFields()[node.name.value]
    const type = field && getNamedType(field.type)
    const inner = node.selectionSet ? measureSet(node.selectionSet, isCompositeType(type) ? type : undefined) : nothing
    const own = parent && parent === schema.getMutationType() ? mutationCost : 0
    const shape = {
      ...inner,
      depth: inner.depth + 1,
      fields: inner.fields + 1,
      width: 1,
      aliases: inner.aliases + (node.alias ? 1 : 0),
    }
    if (field === undefined) return { ...shape, cost: node.selectionSet ? introspectionCost : 0, perItem: 0 }
    if (!isCompositeType(type)) return { ...shape, cost: own, perItem: 0 }

    const size = listSizeOf(field, node, uses)
    const lists = listsIn(field.type)
    // An object that was asked for a number of items, such as a connection, says it of the lists in it.
    const items = lists === 0 && size !== null ? size : assumedSize
    const object = sum([1, inner.cost, times(items, inner.perItem)])
    if (lists === 0) return { ...shape, cost: sum([own, object]), perItem: 0 }
    const each = times(assumedSize ** (lists - 1), object)
    if (size === null) return { ...shape, cost: own, perItem: each }
    return { ...shape, cost: sum([own, times(size, each)]), perItem: 0 }
  }

  function measureFragment(
    node: Exclude<SelectionNode, FieldNode>,
    parent: GraphQLCompositeType | undefined,
  ): Measured {
    if (node.kind === Kind.INLINE_FRAGMENT) {
      const condition = node.typeCondition?.name.value
      return measureSet(node.selectionSet, condition === undefined ? parent : typeNamed(condition))
    }
    const name = node.name.value
    const known = fragments.get(name)
    const definition = definitions.get(name)
    if (known !== undefined || definition === undefined) return known ?? nothing
    const measured = measureSet(definition.selectionSet, typeNamed(definition.typeCondition.name.value))
    const fragment = {
      ...measured,
      directives: measured.directives + (definition.directives?.length ?? 0),
      cost: once(measured.cost, 2 * fragments.size),
      perItem: once(measured.perItem, 2 * fragments.size + 1),
    }
    fragments.set(name, fragment)
    return fragment
  }

  function typeNamed(name: string): GraphQLCompositeType | undefined {
    const type = schema.getType(name)
    return isCompositeType(type) ? type : undefined
  }

  const all = measureSet(operation.selectionSet, schema.getRootType(operation.operation) ?? undefined)
  const { variableDefinitions = [], directives = [] } = operation
  const total = sum([operationCost, all.cost, times(assumedSize, all.perItem)])
  const decisive = variableDefinitions.filter(({ variable }) => deciding.has(variable.name.value))
  return {
    depth: all.depth,
    fields: all.fields,
    rootFields: all.width,
    aliases: all.aliases,
    directives: variableDefinitions.reduce(
      (count, node) => count + (node.directives?.length ?? 0),
      all.directives + directives.length,
    ),
    cost(raw) {
      if (typeof total === 'number') return total
      const { coerced: variables = {} } = getVariableValues(schema, decisive, raw)
      return valueOf(total, { variables, known: new Map() })
    },
  }
}

function listsIn(type: GraphQLOutputType): number {
  if (isNonNullType(type)) return listsIn(type.ofType)
  return isListType(type) ? 1 + listsIn(type.ofType) : 0
}
