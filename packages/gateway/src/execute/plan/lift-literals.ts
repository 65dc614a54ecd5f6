import {
  type ArgumentNode,
  type DocumentNode,
  type FieldNode,
  type FloatValueNode,
  getNamedType,
  type GraphQLCompositeType,
  type GraphQLInputType,
  type GraphQLSchema,
  type IntValueNode,
  isCompositeType,
  isInputObjectType,
  isListType,
  isNonNullType,
  isUnionType,
  Kind,
  type OperationDefinitionNode,
  OperationTypeNode,
  print,
  type SelectionNode,
  type SelectionSetNode,
  type StringValueNode,
  type ValueNode,
  type VariableDefinitionNode,
  type VariableNode,
} from 'graphql'

/** An operation whose literals are variables: what is planned for it serves all that differ in nothing else. */
export interface LiftedOperation {
  readonly operation: OperationDefinitionNode
  /** Of the variables that were made; null if there are none. */
  readonly values: Readonly<Record<string, unknown>> | null
}

const liftedName = /^lifted_\d+$/

/**
 * Makes variables of the numbers and strings that a query's fields are given, where the type is one of GraphQL's own: what
 * such a value means is the same in JSON. Equal values of one type are one variable, so that fields with equal arguments
 * still merge, and others do not.
 *
 * Left as they are: booleans, enums and null, of which there are few; values of custom scalars, which their subgraph
 * may read otherwise; single values where a list is expected, which no variable could be; arguments of directives; and
 * mutations.
 *
 * @param operation - normalised; it validates against `schema`.
 */
export function liftLiterals(schema: GraphQLSchema, operation: OperationDefinitionNode): LiftedOperation {
  const { variableDefinitions = [] } = operation
  const isTaken = variableDefinitions.some(({ variable }) => liftedName.test(variable.name.value))
  const root = schema.getRootType(operation.operation)
  if (operation.operation !== OperationTypeNode.QUERY || isTaken || !root) return { operation, values: null }
  const { liftSet, definitions, values } = startLifting(schema)
  const selectionSet = liftSet(operation.selectionSet, root)
  if (definitions.length === 0) return { operation, values: null }
  return {
    operation: { ...operation, variableDefinitions: [...variableDefinitions, ...definitions], selectionSet },
    values,
  }
}

/**
 * A text that documents have in common which differ in such literals only, and of which the same ones are equal: either
 * all of them validate, or none. Null for one that could be mistaken for what was made of another.
 *
 * @param document - need not validate.
 */
export function shapeOf(schema: GraphQLSchema, document: DocumentNode, source: string): string | null {
  if (source.includes('lifted_')) return null
  const { liftSet } = startLifting(schema)
  const definitions = document.definitions.map((node) => {
    if (node.kind !== Kind.OPERATION_DEFINITION && node.kind !== Kind.FRAGMENT_DEFINITION) return node
    const type =
      node.kind === Kind.OPERATION_DEFINITION
        ? schema.getRootType(node.operation)
        : schema.getType(node.typeCondition.name.value)
    return isCompositeType(type) ? { ...node, selectionSet: liftSet(node.selectionSet, type) } : node
  })
  return print({ kind: Kind.DOCUMENT, definitions })
}

function startLifting(schema: GraphQLSchema) {
  const variables = new Map<string, VariableNode>()
  const definitions: VariableDefinitionNode[] = []
  const values: Record<string, unknown> = {}

  /** What is written otherwise is another variable: fields whose arguments are written otherwise do not merge. */
  function variableOf(type: string, node: Literal, value: string | number): VariableNode {
    const key = `${type} ${node.kind} ${node.kind === Kind.STRING && node.block === true} ${node.value}`
    const known = variables.get(key)
    if (known) return known
    const name = `lifted_${variables.size}`
    const variable: VariableNode = { kind: Kind.VARIABLE, name: { kind: Kind.NAME, value: name } }
    variables.set(key, variable)
    values[name] = value
    const named = { kind: Kind.NAMED_TYPE, name: { kind: Kind.NAME, value: type } } as const
    definitions.push({ kind: Kind.VARIABLE_DEFINITION, variable, type: { kind: Kind.NON_NULL_TYPE, type: named } })
    return variable
  }

  function liftValue(node: ValueNode, type: GraphQLInputType): ValueNode {
    if (isNonNullType(type)) return liftValue(node, type.ofType)
    if (isListType(type)) {
      if (node.kind !== Kind.LIST) return node
      return { ...node, values: node.values.map((item) => liftValue(item, type.ofType)) }
    }
    if (isInputObjectType(type)) {
      if (node.kind !== Kind.OBJECT || type.isOneOf) return node
      const known = type.getFields()
      const lift = (value: ValueNode, name: string) => (known[name] ? liftValue(value, known[name].type) : value)
      return { ...node, fields: node.fields.map((field) => ({ ...field, value: lift(field.value, field.name.value) })) }
    }
    if (!isLiteral(node)) return node
    const value = valueOf(node, type.name)
    return value === null ? node : variableOf(type.name, node, value)
  }

  function liftField(node: FieldNode, parent: GraphQLCompositeType): FieldNode {
    const field = isUnionType(parent) ? undefined : parent.getFields()[node.name.value]
    // What is about the schema is answered here, and not planned.
    if (field === undefined) return node
    const { arguments: given = [], selectionSet } = node
    const type = getNamedType(field.type)
    const lift = (argument: ArgumentNode): ArgumentNode => {
      const declared = field.args.find(({ name }) => name === argument.name.value)
      return declared ? { ...argument, value: liftValue(argument.value, declared.type) } : argument
    }
    return {
      ...node,
      ...(given.length > 0 && { arguments: given.map(lift) }),
      ...(selectionSet && isCompositeType(type) && { selectionSet: liftSet(selectionSet, type) }),
    }
  }

  function liftSet(set: SelectionSetNode, parent: GraphQLCompositeType): SelectionSetNode {
    const lift = (node: SelectionNode): SelectionNode => {
      if (node.kind === Kind.FIELD) return liftField(node, parent)
      if (node.kind === Kind.FRAGMENT_SPREAD) return node
      const type = node.typeCondition ? schema.getType(node.typeCondition.name.value) : parent
      return isCompositeType(type) ? { ...node, selectionSet: liftSet(node.selectionSet, type) } : node
    }
    return { ...set, selections: set.selections.map(lift) }
  }

  return { liftSet, definitions, values }
}

type Literal = StringValueNode | IntValueNode | FloatValueNode

const isLiteral = (node: ValueNode): node is Literal =>
  node.kind === Kind.STRING || node.kind === Kind.INT || node.kind === Kind.FLOAT

/** In JSON; null for what is left as it is, and for all that the type would not take. */
function valueOf(node: Literal, type: string): string | number | null {
  switch (type) {
    case 'String':
      return node.kind === Kind.STRING ? node.value : null
    case 'ID':
      return node.kind === Kind.FLOAT ? null : node.value
    case 'Int': {
      const value = node.kind === Kind.INT ? Number(node.value) : Number.NaN
      // GraphQL 3.5.1: 32 bits.
      return (value | 0) === value ? value : null
    }
    case 'Float': {
      const value = node.kind === Kind.STRING ? Number.NaN : Number(node.value)
      return Number.isFinite(value) ? value : null
    }
    default:
      return null
  }
}
