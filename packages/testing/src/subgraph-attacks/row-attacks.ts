import type { GraphQLObjectType, GraphQLSchema } from 'graphql'
import { objectTypes, ownershipOf } from '../explore/declared-rules.ts'
import { entitiesOf, entityField } from '../explore/explore-subgraph.ts'
import { reachFields } from '../explore/reach-fields.ts'
import { type AnswerObject, isObject, objectsIn, textsIn, typeOf } from '../explore/walk-answer.ts'
import { type Attack, Breach, type Target } from './attack.ts'

function ownerOf(type: GraphQLObjectType) {
  const ownership = ownershipOf(type)
  return ownership?.kind === 'owner' ? ownership : null
}

const hasOwners = (schema: GraphQLSchema) => objectTypes(schema).some(ownerOf)

const ownedEntities = (schema: GraphQLSchema) => entitiesOf(schema).filter(ownerOf)

const hasConnections = (schema: GraphQLSchema) =>
  objectTypes(schema).some((type) => 'edges' in type.getFields() && hasOwners(schema))

/**
 * The twin of all attacks on rows: the owner is shown an object of every type that has one, with something in it that
 * only this owner's rows have. What nobody can see, nobody can be seen to withhold.
 */
function requireOwnRows({ schema, mine, explored, scopes }: Target): void {
  const objects = explored.found.flatMap(({ data }) => objectsIn(data))
  const reachable = new Set(reachFields(schema, mine.as({ scopes }), explored).map(({ type }) => type))
  for (const type of reachable) {
    if (!ownerOf(type)) continue
    const shown = objects.filter((object) => object['__typename'] === type.name)
    const { subject } = mine.as()
    if (shown.length === 0) throw new Breach(`${subject} is shown no ${type.name}: let \`prepare\` make one.`)
    if (!shown.some((object) => [...textsIn(object)].some((text) => mine.secrets.has(text))))
      throw new Breach(
        `Nothing tells the ${type.name} of ${subject} from anybody else's: let \`prepare\` make rows that differ by owner.`,
      )
  }
}

/** Others ask exactly what `mine` asked, with all ids and keys, and are shown none of it: no error tells of it, either. */
async function requirePrivacy({ schema, mine, explored, others }: Target): Promise<void> {
  const ofTenant = new Set(explored.found.flatMap(({ data }) => [...textsOfTenant(schema, data)]))
  for (const { caller, sameTenant } of others) {
    const { status, data, errors } = await caller.run(explored.query)
    if (status !== 200) throw new Breach(`${caller.subject} could not ask at all: ${JSON.stringify(errors)}`)
    const leaked = [...textsIn([data, errors])].filter(
      (text) => mine.secrets.has(text) && !(sameTenant && ofTenant.has(text)),
    )
    if (leaked.length > 0)
      throw new Breach(`${caller.subject} of ${caller.tenant} is shown what is not theirs: ${leaked.join(', ')}`)
  }
}

/** Texts of objects that belong to a tenant, and of whatever is in them and has no owner of its own. */
function textsOfTenant(schema: GraphQLSchema, value: unknown, inTenant = false): Set<string> {
  if (Array.isArray(value)) return new Set(value.flatMap((item) => [...textsOfTenant(schema, item, inTenant)]))
  if (!isObject(value)) return inTenant ? textsIn(value) : new Set()
  const type = typeOf(schema, value)
  const owner = type && ownerOf(type)
  const inside = owner ? owner.claim === 'tenant' : inTenant
  const { __typename: _name, ...fields } = value
  return new Set(Object.values(fields).flatMap((field) => [...textsOfTenant(schema, field, inside)]))
}

async function requireForeignEntities({ schema, mine, explored, others }: Target): Promise<void> {
  for (const type of ownedEntities(schema)) {
    const known = explored.representations.filter((each) => each.type === type.name)
    const { subject } = mine.as()
    if (known.length === 0)
      throw new Breach(`No key of a ${type.name} of ${subject} is known: let \`prepare\` make one.`)
    const query = `{ ${entityField(known)} { __typename } }`
    const own = await mine.as().run(query)
    if (!objectsIn(own.data?.['_entities']).length)
      throw new Breach(`${subject} is not shown their own ${type.name}: ${JSON.stringify(own)}`)
    const isOfTenant = ownerOf(type)?.claim === 'tenant'
    for (const { caller } of others.filter(({ sameTenant }) => !(sameTenant && isOfTenant))) {
      const { data } = await caller.run(query)
      if (objectsIn(data?.['_entities']).length > 0)
        throw new Breach(`${caller.subject} of ${caller.tenant} is shown the ${type.name} of ${subject}.`)
    }
  }
}

/** What surrounds rows tells of them, too: without row-level security a connection says the same, or is null. */
async function requireSilentConnections(target: Target): Promise<void> {
  const { mine, theirs, explored } = target
  const ask = () => mine.as().run(explored.query)
  const { before, after } = await undisturbed(ask, () => target.withoutRowSecurity(ask))
  if (!objectsIn(before.data).some(({ edges }) => Array.isArray(edges) && edges.length > 0))
    throw new Breach(`${mine.as().subject} is shown no connection with anything in it: let \`prepare\` make rows.`)
  const leaked = [...textsIn([after.data, after.errors])].filter((text) => theirs.secrets.has(text))
  if (leaked.length > 0) throw new Breach(`${mine.as().subject} is shown what is not theirs: ${leaked.join(', ')}`)
  for (const { path, was, is } of connectionsIn(before.data, after.data)) {
    if (is !== null && JSON.stringify(is) !== JSON.stringify(was))
      throw new Breach(`${path} tells of the rows of others: ${JSON.stringify(is)} in place of ${JSON.stringify(was)}`)
  }
}

/** What was asked in between, where the answer before and afterwards is the same: some rows come by and by. */
async function undisturbed<R>(ask: () => Promise<R>, between: () => Promise<R>): Promise<{ before: R; after: R }> {
  let before = await ask()
  for (let attempt = 0; attempt < 5; attempt++) {
    const after = await between()
    const again = await ask()
    if (JSON.stringify(again) === JSON.stringify(before)) return { before, after }
    before = again
  }
  throw new Breach('The same question is answered differently each time: what others add to it could not be seen.')
}

/** Connections of one answer, each with what stands in its place in another. */
function connectionsIn(was: unknown, is: unknown, path = ''): { path: string; was: AnswerObject; is: unknown }[] {
  if (is === null || is === undefined) return []
  if (Array.isArray(was)) {
    const items = Array.isArray(is) ? is : []
    return was.flatMap((item, index) => connectionsIn(item, items[index], path))
  }
  if (!isObject(was)) return []
  if ('edges' in was) return [{ path, was, is }]
  const others = isObject(is) ? is : {}
  return Object.entries(was).flatMap(([name, value]) => connectionsIn(value, others[name], `${path}.${name}`))
}

/** The same with the database's own protection switched off: what is private then, the subgraph keeps so by itself. */
const alone = (attack: Attack): Attack => ({
  ...attack,
  name: `${attack.name}, where the database would show them`,
  about: `${attack.about}, with row-level security switched off`,
  withstand: (target) => target.withoutRowSecurity(() => attack.withstand(target)),
})

const foreignEntities: Attack = {
  name: '`_entities` of others',
  promise: 'P7',
  code: null,
  about: "the gateway's own way to an object, with a key that is somebody else's",
  applies: (schema) => ownedEntities(schema).length > 0,
  withstand: requireForeignEntities,
}

const foreignRows: Attack = {
  name: 'foreign rows',
  promise: 'P7',
  code: null,
  about: 'everything that `mine` can ask for, asked by a colleague, a stranger, an agent and nobody',
  applies: hasOwners,
  async withstand(target) {
    requireOwnRows(target)
    await requirePrivacy(target)
  },
}

const openTables: Attack = {
  name: 'a way around row-level security',
  promise: 'P7',
  code: null,
  about: 'tables, views, functions and rights in its database that would be one',
  async withstand(target) {
    const violations = await target.violations()
    if (violations.length > 0) throw new Breach(violations.join('\n'))
  },
}

/** Rows, and what tells of them. */
export const rowAttacks: readonly Attack[] = [
  openTables,
  foreignEntities,
  alone(foreignEntities),
  foreignRows,
  alone(foreignRows),
  {
    name: 'connections that tell of foreign rows',
    promise: 'P7',
    code: null,
    about: 'their edges, cursors, counts and page info, with row-level security switched off',
    applies: hasConnections,
    withstand: requireSilentConnections,
  },
]
