import {
  getNamedType,
  type GraphQLNamedType,
  type GraphQLObjectType,
  type GraphQLSchema,
  isAbstractType,
  isLeafType,
  isObjectType,
} from 'graphql'
import type { TestCaller } from '../test-caller.ts'
import type { Field } from './declared-rules.ts'
import { type Explored, entityField } from './explore-subgraph.ts'
import { fillArguments, type SubjectPlace } from './fill-arguments.ts'

/** A way to ask for one field and nothing else. */
export interface Probe {
  /** Such as `User.orders`. */
  readonly coordinate: string
  readonly type: GraphQLObjectType
  readonly field: Field
  readonly isMutation: boolean
  /** Names in the answer that lead to the field; there may be lists on the way. */
  readonly path: readonly string[]
  /** @param subject - what to put where an argument names a principal; the caller, if it says nothing. */
  operation(subject?: (place: SubjectPlace) => string | undefined): string
}

/** How objects of a type are asked for: `ask` puts a selection around another. */
interface Way {
  readonly type: GraphQLObjectType
  readonly path: readonly string[]
  readonly ask: (selection: string) => string
}

/**
 * Every field that a caller can ask for: of Query and Mutation, of entities whose keys are known, and of whatever these
 * lead to, each on a shortest way. What only a mutation answers with is left out: it would have to be run.
 */
export function reachFields(schema: GraphQLSchema, caller: TestCaller, { ids, representations }: Explored): Probe[] {
  const ownName = ({ claim }: SubjectPlace) => (claim === 'tenant' ? caller.tenant : caller.subject) ?? ''
  const argumentsOf = (field: Field, subject?: (place: SubjectPlace) => string | undefined, known = ids) =>
    fillArguments(field, { ids: known, subject: (place) => subject?.(place) ?? ownName(place) })

  return waysToTypes().flatMap(({ type, path, ask }) =>
    fieldsOf(type).map((field) => ({
      coordinate: `${type.name}.${field.name}`,
      type,
      field,
      isMutation: type === schema.getMutationType(),
      path: [...path, field.name],
      operation(subject) {
        // What is there is not to be changed: a mutation is told of nothing.
        const known = type === schema.getMutationType() ? new Map<string, string>() : ids
        const selection = isLeafType(getNamedType(field.type)) ? '' : ' { __typename }'
        return ask(field.name + argumentsOf(field, subject, known) + selection)
      },
    })),
  )

  function waysToTypes(): Way[] {
    const ways = new Map<GraphQLNamedType, Way>()
    const add = (type: GraphQLNamedType | null | undefined, path: readonly string[], ask: Way['ask']) => {
      if (isObjectType(type) && !ways.has(type)) ways.set(type, { type, path, ask })
      if (!isAbstractType(type)) return
      for (const possible of schema.getPossibleTypes(type))
        add(possible, path, (selection) => ask(`... on ${possible.name} { ${selection} }`))
    }
    for (const type of new Set(representations.map((each) => each.type))) {
      const known = entityField(representations.filter((each) => each.type === type))
      add(schema.getType(type), ['_entities'], (selection) => `{ ${known} { ... on ${type} { ${selection} } } }`)
    }
    add(schema.getQueryType(), [], (selection) => `{ ${selection} }`)
    // Sets and maps go on to what is added while they are read: nearer ways first.
    for (const { type, path, ask } of ways.values()) {
      for (const field of fieldsOf(type)) {
        add(getNamedType(field.type), [...path, field.name], (selection) =>
          ask(`${field.name}${argumentsOf(field)} { ${selection} }`),
        )
      }
    }
    add(schema.getMutationType(), [], (selection) => `mutation { ${selection} }`)
    return [...ways.values()]
  }
}

const fieldsOf = (type: GraphQLObjectType) =>
  Object.values(type.getFields()).filter(({ name }) => !name.startsWith('_'))

/** What an answer has at a path, over all items of the lists on the way; where there is nothing on the way, nothing. */
export function valuesAt(data: unknown, path: readonly string[]): unknown[] {
  if (Array.isArray(data)) return data.flatMap((item) => valuesAt(item, path))
  const [name, ...rest] = path
  if (name === undefined) return [data]
  if (typeof data !== 'object' || data === null) return []
  return valuesAt((data as Readonly<Record<string, unknown>>)[name], rest)
}
