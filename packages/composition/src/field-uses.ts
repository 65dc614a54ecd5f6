import {
  Kind,
  getNamedType,
  isCompositeType,
  isInputObjectType,
  isInterfaceType,
  isListType,
  isNonNullType,
  isObjectType,
} from 'graphql'
import type {
  DocumentNode,
  FieldNode,
  GraphQLCompositeType,
  GraphQLField,
  GraphQLInputType,
  GraphQLSchema,
  OperationDefinitionNode,
  SelectionSetNode,
  ValueNode,
} from 'graphql'

/** A field as an operation selects it. */
export interface FieldUse {
  /** `Type.field`. */
  readonly coordinate: string
  readonly parent: GraphQLCompositeType
  readonly field: GraphQLField<unknown, unknown>
  readonly node: FieldNode
  /** The field that this one is selected on; null for root fields. */
  readonly enclosing: FieldUse | null
}

/** What a (valid) operation touches, its fragments inlined. */
export interface OperationUses {
  readonly fields: readonly FieldUse[]
  /** Types that fragments name. */
  readonly conditions: ReadonlySet<string>
}

export function usesOf(api: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode): OperationUses {
  const fragments = new Map(
    document.definitions.flatMap((node) => (node.kind === Kind.FRAGMENT_DEFINITION ? [[node.name.value, node]] : [])),
  )
  const fields: FieldUse[] = []
  const conditions = new Set<string>()

  const walk = (set: SelectionSetNode, parent: GraphQLCompositeType, enclosing: FieldUse | null): void => {
    for (const selection of set.selections) {
      if (selection.kind === Kind.FIELD) {
        const field = fieldOf(parent, selection.name.value)
        if (!field) continue
        const use = { coordinate: `${parent.name}.${field.name}`, parent, field, node: selection, enclosing }
        fields.push(use)
        const type = getNamedType(field.type)
        if (selection.selectionSet && isCompositeType(type)) walk(selection.selectionSet, type, use)
        continue
      }
      const fragment = selection.kind === Kind.INLINE_FRAGMENT ? selection : fragments.get(selection.name.value)
      if (!fragment) continue
      const condition = fragment.typeCondition?.name.value
      if (condition !== undefined) conditions.add(condition)
      const type = condition === undefined ? parent : api.getType(condition)
      if (isCompositeType(type)) walk(fragment.selectionSet, type, enclosing)
    }
  }
  const root = api.getRootType(operation.operation)
  if (root) walk(operation.selectionSet, root, null)
  return { fields, conditions }
}

/** Undefined for `__typename` and the like. */
export function fieldOf(parent: GraphQLCompositeType, name: string): GraphQLField<unknown, unknown> | undefined {
  return isObjectType(parent) || isInterfaceType(parent) ? parent.getFields()[name] : undefined
}

/** An argument or input field that an operation gives a value. */
export interface InputUse {
  /** `Type.field(argument:)` or `Input.field`; of an interface's field also those of its implementations. */
  readonly coordinates: readonly string[]
  /** The same argument on the interfaces that the field comes from. */
  readonly inherited: readonly string[]
  readonly name: string
  readonly description: string | null
  readonly type: GraphQLInputType
  readonly value: ValueNode
  /** The field whose argument it is; null for input fields. */
  readonly argumentOf: FieldUse | null
}

/** Everything that a field's arguments give, into literal lists and objects. */
export function inputsOf(api: GraphQLSchema, use: FieldUse): InputUse[] {
  const inputs: InputUse[] = []
  const descend = (value: ValueNode, type: GraphQLInputType): void => {
    const nullable = isNonNullType(type) ? type.ofType : type
    if (value.kind === Kind.LIST) {
      value.values.forEach((item) => descend(item, isListType(nullable) ? nullable.ofType : nullable))
      return
    }
    const named = getNamedType(type)
    if (value.kind !== Kind.OBJECT || !isInputObjectType(named)) return
    for (const given of value.fields) {
      const field = named.getFields()[given.name.value]
      if (!field) continue
      inputs.push({
        coordinates: [`${named.name}.${field.name}`],
        inherited: [],
        name: field.name,
        description: field.description ?? null,
        type: field.type,
        value: given.value,
        argumentOf: null,
      })
      descend(given.value, field.type)
    }
  }
  const types = isInterfaceType(use.parent) ? [use.parent, ...api.getPossibleTypes(use.parent)] : [use.parent]
  const interfaces = new Set(types.flatMap((type) => ('getInterfaces' in type ? type.getInterfaces() : [])))
  for (const given of use.node.arguments ?? []) {
    const argument = use.field.args.find(({ name }) => name === given.name.value)
    if (!argument) continue
    inputs.push({
      coordinates: types.map((type) => `${type.name}.${use.field.name}(${argument.name}:)`),
      inherited: [...interfaces].map((type) => `${type.name}.${use.field.name}(${argument.name}:)`),
      name: argument.name,
      description: argument.description ?? null,
      type: argument.type,
      value: given.value,
      argumentOf: use,
    })
    descend(given.value, argument.type)
  }
  return inputs
}

/** Variables that are the value, or items of the list that it is. */
export function directVariablesIn(value: ValueNode): string[] {
  if (value.kind === Kind.VARIABLE) return [value.name.value]
  return value.kind === Kind.LIST ? value.values.flatMap(directVariablesIn) : []
}

/** Every variable that a value is made of. */
export function variablesIn(value: ValueNode): string[] {
  if (value.kind === Kind.VARIABLE) return [value.name.value]
  if (value.kind === Kind.LIST) return value.values.flatMap(variablesIn)
  return value.kind === Kind.OBJECT ? value.fields.flatMap((field) => variablesIn(field.value)) : []
}
