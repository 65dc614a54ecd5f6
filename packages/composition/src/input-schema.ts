import {
  Kind,
  astFromValue,
  getNullableType,
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
  isRequiredInputField,
  typeFromAST,
  valueFromASTUntyped,
} from 'graphql'
import type {
  GraphQLEnumType,
  GraphQLInputField,
  GraphQLInputObjectType,
  GraphQLInputType,
  GraphQLSchema,
  OperationDefinitionNode,
} from 'graphql'
import type { JsonSchema } from '@behalf/identity'
import { inputsOf, type FieldUse } from './field-uses.ts'
import type { Place, Problems } from './problem.ts'
import { maxListSize } from './prove-lists.ts'
import type { ScalarSchemas } from './scalar-schemas.ts'

const maxDepth = 5

export interface InputSchemaParts {
  readonly api: GraphQLSchema
  readonly scalars: ScalarSchemas
  readonly operation: OperationDefinitionNode
  readonly uses: readonly FieldUse[]
  /** Variables that are bound: absent from the schema. */
  readonly bound: ReadonlySet<string>
  /** Variables that bound lists. */
  readonly bounding: ReadonlySet<string>
  readonly place: Place
}

/**
 * The JSON Schema (2020-12) of a tool's arguments: its free variables, everything inlined and closed. Null is
 * nowhere a value: an argument is given or left out.
 */
export function inputSchema(parts: InputSchemaParts, problems: Problems): JsonSchema {
  const given = parts.uses.flatMap((use) => inputsOf(parts.api, use))
  const properties: Record<string, JsonSchema> = {}
  const required: string[] = []
  for (const definition of parts.operation.variableDefinitions ?? []) {
    const name = definition.variable.name.value
    if (parts.bound.has(name)) continue
    const type = typeFromAST(parts.api, definition.type as never) as GraphQLInputType | undefined
    if (!type) continue
    const flow = given.find(
      ({ value, description }) => value.kind === Kind.VARIABLE && value.name.value === name && description,
    )
    const schema = schemaOf(type, [], parts, problems)
    const description = definition.description?.value ?? flow?.description
    properties[name] = {
      ...schema,
      ...(parts.bounding.has(name) ? { minimum: 1, maximum: maxListSize } : {}),
      ...(description ? { description: joinLines(description, enumDescription(schema)) } : {}),
      ...(definition.defaultValue ? defaultOf(valueFromASTUntyped(definition.defaultValue)) : {}),
    }
    if (isNonNullType(type) && !definition.defaultValue) required.push(name)
  }
  return { type: 'object', properties, required, additionalProperties: false }
}

function schemaOf(
  type: GraphQLInputType,
  path: readonly string[],
  parts: InputSchemaParts,
  problems: Problems,
): JsonSchema {
  const nullable = getNullableType(type)
  if (isListType(nullable)) {
    const items = schemaOf(nullable.ofType, path, parts, problems)
    return { type: 'array', items, maxItems: maxListSize }
  }
  if (isEnumType(nullable)) return enumSchema(nullable)
  if (isInputObjectType(nullable)) return objectSchema(nullable, path, parts, problems)
  const name = String(nullable)
  const schema = parts.scalars[name]
  if (!schema) problems.add('SCALAR_UNMAPPED', parts.place, `There is no JSON Schema for the scalar ${name}, an input.`)
  else if (!isLeafSchema(schema)) {
    problems.add(
      'SCALAR_OPEN',
      parts.place,
      `By its JSON Schema the scalar ${name}, an input, can hold objects or lists.`,
    )
  }
  return schema ?? {}
}

/** Whether nothing can be inside: a model could name anybody in an object that no type describes. */
function isLeafSchema(schema: JsonSchema): boolean {
  const isLeaf = (value: unknown) => typeof value !== 'object' || value === null
  const { type, enum: values } = schema
  if ('const' in schema) return isLeaf(schema['const'])
  if (Array.isArray(values)) return values.every(isLeaf)
  const types: readonly unknown[] = Array.isArray(type) ? type : [type]
  return types.every((each) => leafTypes.has(each))
}

const leafTypes: ReadonlySet<unknown> = new Set(['string', 'number', 'integer', 'boolean', 'null'])

function objectSchema(
  type: GraphQLInputObjectType,
  path: readonly string[],
  parts: InputSchemaParts,
  problems: Problems,
): JsonSchema {
  const inner = [...path, type.name]
  if (path.includes(type.name)) {
    problems.add('INPUT_RECURSIVE', parts.place, `The input ${type.name} contains itself: ${inner.join(', ')}.`)
    return {}
  }
  if (inner.length > maxDepth) {
    problems.add('INPUT_TOO_DEEP', parts.place, `The inputs ${inner.join(', ')} nest more than ${maxDepth} deep.`)
    return {}
  }
  const fields = Object.values(type.getFields())
  return {
    type: 'object',
    properties: Object.fromEntries(fields.map((field) => [field.name, fieldSchema(field, inner, parts, problems)])),
    required: fields.filter(isRequiredInputField).map(({ name }) => name),
    additionalProperties: false,
    ...(type.isOneOf ? { minProperties: 1, maxProperties: 1 } : {}),
    ...(type.description ? { description: type.description } : {}),
  }
}

function fieldSchema(
  field: GraphQLInputField,
  path: readonly string[],
  parts: InputSchemaParts,
  problems: Problems,
): JsonSchema {
  const schema = schemaOf(field.type, path, parts, problems)
  const value = field.defaultValue === undefined ? null : astFromValue(field.defaultValue, field.type)
  return {
    ...schema,
    ...(field.description ? { description: joinLines(field.description, enumDescription(schema)) } : {}),
    ...(value ? defaultOf(valueFromASTUntyped(value)) : {}),
  }
}

function enumSchema(type: GraphQLEnumType): JsonSchema {
  const values = type.getValues()
  const lines = values.flatMap(({ name, description }) => (description ? [`${name}: ${description}`] : []))
  const description = [...(type.description ? [type.description] : []), ...lines].join('\n')
  return { type: 'string', enum: values.map(({ name }) => name), ...(description ? { description } : {}) }
}

function enumDescription(schema: JsonSchema): string {
  return 'enum' in schema && typeof schema['description'] === 'string' ? schema['description'] : ''
}

function joinLines(...lines: readonly string[]): string {
  return lines.filter(Boolean).join('\n')
}

/** A default of null is that of leaving it out. */
function defaultOf(value: unknown): { readonly default?: unknown } {
  return value === null || value === undefined ? {} : { default: value }
}
