import { getNamedType, type GraphQLSchema, isLeafType } from 'graphql'
import type { Kysely } from 'kysely'
import { type DatabaseRow, readRows } from '../database-rows.ts'
import { declaredScopes } from '../explore/declared-scopes.ts'
import { exploreSubgraph } from '../explore/explore-subgraph.ts'
import { fillArguments } from '../explore/fill-arguments.ts'
import type { TestCaller } from '../test-caller.ts'
import { subjectOf, type TestClaims } from '../test-principal.ts'
import type { TestSubgraph } from '../test-subgraph.ts'
import { withoutRowSecurity } from '../without-row-security.ts'
import type { Operation, Target } from './attack.ts'

/** Somebody whose rows are to be made. */
export interface Owner {
  /** Such as `ada`: for ids that differ by owner. */
  readonly name: string
  /** Such as `usr_ada`. */
  readonly subject: string
  readonly tenant: string
}

export interface Aim<Tables> {
  /** Whose rows are attacked, such as `ada`. */
  readonly mine: string
  /** Somebody of the same tenant, with the same scopes. */
  readonly theirs: string
  /**
   * Makes rows of one owner; called for both. An object of every type with an `@owner` has to come of it, with something
   * in it that differs by owner, such as an id.
   */
  readonly prepare?: (app: TestSubgraph<Tables>, owner: Owner) => Promise<unknown>
  /** Of both. Default: every scope of the schema, but for those with which a person may see or name others. */
  readonly claims?: TestClaims
  /** Fields of Query, with arguments and selections, that an owner can ask for and that do not follow from the schema. */
  readonly queries?: (owner: Owner) => readonly string[]
  /** One that succeeds each time it is sent anew. Default: the first that does so with made-up arguments. */
  readonly mutation?: Operation
}

/** Makes rows of both owners, and finds out what there is to attack. */
export async function aimAt<Tables>(
  app: TestSubgraph<Tables>,
  schema: GraphQLSchema,
  { mine, theirs, claims, prepare, queries, mutation }: Aim<Tables>,
): Promise<Target> {
  const scopes = declaredScopes(schema)
  const usual: TestClaims = { scopes: scopes.plain, ...claims }
  const ownerOf = (name: string): Owner => ({ name, subject: subjectOf(name), tenant: usual.tenant ?? 'acme' })
  const rows = (...others: string[]) => readRows(app.admin as unknown as Kysely<never>, app.schemas, others)
  const made = async (name: string) => {
    const before = new Set((await rows(audit)).map(keyOf))
    await prepare?.(app, ownerOf(name))
    return (await rows(audit)).filter((row) => !before.has(keyOf(row)))
  }

  const first = textsOf(await rows(audit))
  const [ofMine, ofTheirs] = [textsOf(await made(mine)), textsOf(await made(theirs))]
  const party = (name: string, own: ReadonlySet<string>, foreign: ReadonlySet<string>) => ({
    as: (other: TestClaims = {}) => app.as(name, { ...usual, ...other }),
    secrets: new Set([...own].filter((text) => !foreign.has(text) && !first.has(text))),
  })
  const [me, them] = [party(mine, ofMine, ofTheirs), party(theirs, ofTheirs, ofMine)]
  const colleague = them.as()
  return {
    name: app.name,
    url: app.url,
    rootKey: app.rootKey,
    schema,
    mine: me,
    theirs: them,
    others: [
      { caller: colleague, sameTenant: true },
      { caller: colleague.agent({ tool: 'attack' }), sameTenant: true },
      { caller: them.as({ tenant: 'elsewhere' }), sameTenant: false },
      { caller: app.anonymous(), sameTenant: false },
    ],
    scopes: scopes.all,
    explored: await exploreSubgraph(schema, me.as(), queries?.(ownerOf(mine))),
    mutation: mutation ?? (await anyMutation(schema, me.as())),
    anonymous: () => app.anonymous(),
    violations: () => app.violations(),
    state: async () => (await rows('behalf.performed')).map(keyOf).join('\n'),
    withoutRowSecurity: (work) => withoutRowSecurity(app, work),
  }
}

/** Not a part of the state: what is recorded of a refusal is written by and by. */
const audit = 'behalf.audit_event'

const keyOf = ({ table, json }: DatabaseRow) => `${table} ${json}`

/** Texts that are long enough to be somebody's. */
const textsOf = (rows: readonly DatabaseRow[]): ReadonlySet<string> =>
  new Set(rows.flatMap(({ texts }) => texts.filter((text) => text.length >= 3)))

/** The first Mutation field that answers made-up arguments without an error. */
async function anyMutation(schema: GraphQLSchema, caller: TestCaller): Promise<Operation | null> {
  for (const field of Object.values(schema.getMutationType()?.getFields() ?? {})) {
    const subject = ({ claim }: { claim: string }) => (claim === 'tenant' ? caller.tenant : caller.subject) ?? ''
    const selection = isLeafType(getNamedType(field.type)) ? '' : ' { __typename }'
    const query = `mutation { ${field.name}${fillArguments(field, { ids: new Map(), subject })}${selection} }`
    if ((await caller.run(query)).errors.length === 0) return { query }
  }
  return null
}
