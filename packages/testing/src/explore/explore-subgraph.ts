import { getNamedType, type GraphQLObjectType, type GraphQLSchema, isUnionType } from 'graphql'
import type { TestCaller, TestData } from '../test-caller.ts'
import { keyOf, ownershipOf } from './declared-rules.ts'
import { fillArguments, type Values } from './fill-arguments.ts'
import { selected, selectEverything } from './select-everything.ts'
import { objectsIn, typeOf } from './walk-answer.ts'

/** The key of an entity, as the gateway would send it. */
export interface Representation {
  readonly type: string
  readonly key: Readonly<Record<string, unknown>>
}

/** What a caller can find in a subgraph. */
export interface Explored {
  /** Fields of Query, each with everything below it, that are answered without an error, and what they answer. */
  readonly found: readonly { readonly selection: string; readonly data: TestData }[]
  /** All of them in one operation. */
  readonly query: string
  readonly representations: readonly Representation[]
  /** An id of each type of which an object was found. */
  readonly ids: ReadonlyMap<string, string>
}

/** Ids that are found may open further fields, which show further ids. */
const rounds = 3

/**
 * Asks a subgraph for all that its schema has: fields of Query, and entities whose keys are known. The first key is the
 * caller's own, where a type's owner is its key (`User @key(fields: "id") @owner(field: "id")`); others are found on the
 * way, and serve as arguments, too.
 *
 * @param queries - fields of Query, with arguments and selections, that cannot be derived.
 */
export async function exploreSubgraph(
  schema: GraphQLSchema,
  caller: TestCaller,
  queries: readonly string[] = [],
): Promise<Explored> {
  const entities = entitiesOf(schema)
  const ids = new Map<string, string>()
  const representations = new Map(
    entities.flatMap((type) => ownKeyOf(type, caller)).map((own) => [JSON.stringify(own), own] as const),
  )
  const values: Values = { subject: ({ claim }) => (claim === 'tenant' ? caller.tenant : caller.subject) ?? '', ids }
  let found: { selection: string; data: TestData }[] = []
  for (let round = 0, before = -1; round < rounds && before !== representations.size + ids.size; round++) {
    before = representations.size + ids.size
    found = []
    for (const selection of [...rootSelections(schema, values), ...entitySelections(), ...queries]) {
      const { data, errors } = await caller.run(`{ ${selection} }`)
      if (data === null || errors.length > 0) continue
      found.push({ selection, data })
      note(data)
    }
  }
  const query = found.map(({ selection }, index) => `found${index}: ${selection}`).join('\n')
  return { found, query: `{ ${query || '__typename'} }`, representations: [...representations.values()], ids }

  function entitySelections(): string[] {
    return entities.flatMap((type) => {
      const known = [...representations.values()].filter((each) => each.type === type.name)
      if (known.length === 0) return []
      return `${entityField(known)} { ... on ${type.name}${selectEverything(schema, type, values)} }`
    })
  }

  /** Keeps the keys of entities, and one id of each type. */
  function note(data: TestData): void {
    for (const object of objectsIn(data)) {
      const type = typeOf(schema, object)
      if (!type) continue
      const id = selected(object, 'id')
      if (typeof id === 'string' && !ids.has(type.name)) ids.set(type.name, id)
      const key = Object.fromEntries((keyOf(type) ?? []).map((name) => [name, selected(object, name)]))
      if (!entities.includes(type) || Object.values(key).some((value) => value === undefined || value === null))
        continue
      const representation = { type: type.name, key }
      representations.set(JSON.stringify(representation), representation)
    }
  }
}

/** `_entities` of these, to be followed by a selection. */
export function entityField(representations: readonly Representation[]): string {
  const literals = representations.map(({ type, key }) => {
    const fields = Object.entries({ __typename: type, ...key }).map(
      ([name, value]) => `${name}: ${JSON.stringify(value)}`,
    )
    return `{${fields.join(', ')}}`
  })
  return `_entities(representations: [${literals.join(', ')}])`
}

function rootSelections(schema: GraphQLSchema, values: Values): string[] {
  const fields = Object.values(schema.getQueryType()?.getFields() ?? {}).filter(({ name }) => !name.startsWith('_'))
  return fields.map(
    (field) => field.name + fillArguments(field, values) + selectEverything(schema, getNamedType(field.type), values),
  )
}

/** Types that this subgraph is asked for by their keys, not those that it only refers to. */
export function entitiesOf(schema: GraphQLSchema): readonly GraphQLObjectType[] {
  const union = schema.getType('_Entity')
  return isUnionType(union) ? union.getTypes().filter((type) => keyOf(type) !== null) : []
}

function ownKeyOf(type: GraphQLObjectType, { subject, tenant }: TestCaller): Representation[] {
  const [name, ...others] = keyOf(type) ?? []
  const ownership = ownershipOf(type)
  if (name === undefined || others.length > 0 || ownership?.kind !== 'owner' || ownership.field !== name) return []
  return [{ type: type.name, key: { [name]: ownership.claim === 'tenant' ? tenant : subject } }]
}
