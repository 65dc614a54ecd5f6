import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { root as repository } from './support/system.ts'

let root = ''
const behalf = (...args: string[]) => {
  const script = join(repository, 'packages/cli/src/main.ts')
  const node = ['--conditions=@behalf/source', script, ...args]
  return spawnSync(process.execPath, node, { cwd: root, encoding: 'utf8' })
}

const schema = `extend schema
  @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key"])
  @link(url: "https://behalf.dev/identity/v0.1", import: ["@owner", "@owned", "@public"])
scalar Decimal
scalar DateTime
scalar Url
type Query { points(first: Int = 20, kind: Kind!): [Points!] terms: Terms }
type Mutation { spend(input: Spend!): Points }
type Subscription { ticks(from: Int): Tick }
type User @key(fields: "id") @owner(field: "id") { id: ID! points: Points home: Url }
type Points @owner(field: "userId") { balance: Decimal! at: DateTime! level: Kind parts(first: Int): [Part!]! }
type Part @owned(through: "parent") { amount: Int! note: String }
type Terms @public { text: String! }
union Tick @public = Points | Part
enum Kind { GOLD SILVER }
input Spend { amount: Decimal! note: String }
`.replace('union Tick @public', 'union Tick')

/** Every \`@ts-expect-error\` is a mistake that has to be one: tsc goes red where it is none. */
const resolvers = `
import { scalars } from '@behalf/subgraph'
import type { PointsModel, Resolvers } from './generated/schema.ts'

const points = { userId: 'usr_ada', balance: '1.00', at: new Date(), parts: [] }
const Query = { points: () => [points], terms: () => ({ text: 'yes' }) }
const Mutation = { spend: () => null }
async function* ticks() { yield { __typename: 'Part', amount: 1, note: null } as const }
const Subscription = { ticks: { subscribe: ticks } }

export const whole = {
  ...scalars,
  Query: {
    points: async (_root, { first, kind }, { db, identity }) => {
      const size: number | null = first
      const of: 'GOLD' | 'SILVER' = kind
      // @ts-expect-error A client can send null for an argument with a default.
      const certain: number = first
      // @ts-expect-error There is no such table.
      db.selectFrom('nothing')
      return [{ ...points, level: of, extra: [size, certain, identity.subject] }]
    },
    terms: () => ({ text: 'yes' }),
  },
  Mutation: { spend: (_root, { input }) => (input.note === null ? null : { ...points, balance: input.amount }) },
  Subscription: { ticks: { subscribe: (_root, { from }, { identity }) => (from === 1 && identity.subject ? ticks() : ticks()) } },
  User: {
    __resolveReference: ({ id }) => ({ id }),
    points: (user) => ({ ...points, userId: user.id }),
    home: (user) => new URL('https://' + user.id),
  },
  Points: { parts: (parent: PointsModel) => [{ amount: Number(parent.balance), note: null }] },
} satisfies Resolvers

// @ts-expect-error Whose they are is not there.
export const ownerless = { Query: { ...Query, points: () => [{ balance: '1.00', at: new Date() }] }, Mutation, Subscription } satisfies Resolvers
// @ts-expect-error A Decimal is no number.
export const number = { Query: { ...Query, points: () => [{ ...points, balance: 1 }] }, Mutation, Subscription } satisfies Resolvers
// @ts-expect-error What cannot be null is missing.
export const missing = { Query: { ...Query, terms: () => ({}) }, Mutation, Subscription } satisfies Resolvers
// @ts-expect-error Nobody resolves Query.terms.
export const unresolved = { Query: { points: Query.points }, Mutation, Subscription } satisfies Resolvers
// @ts-expect-error Nobody resolves mutations.
export const readOnly = { Query, Subscription } satisfies Resolvers
// @ts-expect-error There is no User.name.
export const unknown = { Query, Mutation, Subscription, User: { name: () => 'Ada' } } satisfies Resolvers
// @ts-expect-error There is no such argument.
export const argument = { Query: { ...Query, points: (_root, { last }) => [points] }, Mutation, Subscription } satisfies Resolvers
// @ts-expect-error There is no such event.
export const event = { Query, Mutation, Subscription: { ticks: { subscribe: async function* () { yield 1 } } } } satisfies Resolvers
// @ts-expect-error A reference has keys, and no more.
export const reference = { Query, Mutation, Subscription, User: { __resolveReference: ({ home }) => null } } satisfies Resolvers
`

const files: Readonly<Record<string, string>> = {
  'apps/loyalty/behalf.json': '{ "name": "loyalty", "schema": "src/schema.graphql", "port": 4105 }',
  'apps/loyalty/src/schema.graphql': schema,
  'apps/loyalty/src/database.ts': 'export interface Database { points: { id: string } }\n',
  'apps/loyalty/src/models.ts': 'export type Url = URL\n',
  'apps/loyalty/src/resolvers.ts': resolvers,
  'tsconfig.json': '{ "extends": "../../../tsconfig.base.json", "include": ["apps"] }',
}
const path = (file: string) => join(root, file)
const write = (file: string, text: string) => {
  mkdirSync(dirname(path(file)), { recursive: true })
  writeFileSync(path(file), text)
}
const generated = 'apps/loyalty/src/generated/schema.ts'

beforeAll(() => {
  mkdirSync(join(import.meta.dirname, '.reports'), { recursive: true })
  // Where packages are found, and where nothing is checked but here.
  root = mkdtempSync(join(import.meta.dirname, '.reports/types-'))
})
afterAll(() => rmSync(root, { recursive: true, force: true }))
beforeEach(() => {
  for (const [file, text] of Object.entries(files)) write(file, text)
})

function typecheck(): string {
  return spawnSync(join(repository, 'node_modules/.bin/tsc'), ['-p', '.'], { cwd: root, encoding: 'utf8' }).stdout
}

describe('behalf types', () => {
  it('writes types that let pass what is right and nothing that is wrong', () => {
    expect(behalf('types')).toMatchObject({ status: 0 })
    expect(typecheck()).toBe('')
  })

  it('follows the schema: what was right is red', () => {
    write('apps/loyalty/src/schema.graphql', schema.replace('balance: Decimal!', 'amount: Decimal!'))
    expect(behalf('types')).toMatchObject({ status: 0 })
    expect(typecheck()).toContain('resolvers.ts')
  })

  it('leaves a file alone that is as it should be', () => {
    behalf('types')
    const before = statSync(path(generated)).mtimeMs
    behalf('types', '--root', '.')
    expect(statSync(path(generated)).mtimeMs).toBe(before)
  })

  it('says where a schema cannot be read, and leaves the types as they were', () => {
    behalf('types')
    const before = readFileSync(path(generated), 'utf8')
    write('apps/loyalty/src/schema.graphql', schema.replace('type Query {', 'type Query'))
    const { status, stderr } = behalf('types')
    expect(status).toBe(1)
    expect(stderr).toContain('apps/loyalty/src/schema.graphql:7  Syntax Error')
    expect(readFileSync(path(generated), 'utf8')).toBe(before)
    write('apps/loyalty/behalf.json', '{}')
    expect(behalf('types')).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('behalf.json:1  APP_INVALID') as string,
    })
  })

  const client = {
    'client/points.graphql': 'query Points($kind: Kind!) { points(kind: $kind) { balance at level } }',
    'client/use.ts': `
import type { TypedDocumentNode } from '@graphql-typed-document-node/core'
import { PointsDocument } from './documents.ts'

declare function ask<Data, Variables>(document: TypedDocumentNode<Data, Variables>, variables: Variables): Data

const [first] = ask(PointsDocument, { kind: 'GOLD' }).points ?? []
export const balance: string | undefined = first?.balance
// @ts-expect-error As it is in JSON.
export const at: Date | undefined = first?.at
// @ts-expect-error There is no such kind.
ask(PointsDocument, { kind: 'TIN' })
// @ts-expect-error A variable is missing.
ask(PointsDocument, {})
`,
    'tsconfig.json': '{ "extends": "../../../tsconfig.base.json", "include": ["client"] }',
  }
  const documents = ['types', '--documents', 'client/*.graphql', '--out', 'client/documents.ts']

  it("knows a client's operations, and says where one does not fit", () => {
    for (const [file, text] of Object.entries(client)) write(file, text)
    expect(behalf(...documents)).toMatchObject({ status: 0 })
    expect(typecheck()).toBe('')
    const before = readFileSync(path('client/documents.ts'), 'utf8')
    write('client/points.graphql', 'query Points {\n  nothing\n}')
    const { status, stderr } = behalf(...documents)
    expect(status).toBe(1)
    expect(stderr).toContain('client/points.graphql:2  Cannot query field "nothing"')
    expect(readFileSync(path('client/documents.ts'), 'utf8')).toBe(before)
    rmSync(path('client'), { recursive: true })
  })
})
