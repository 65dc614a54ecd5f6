import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { compose, type Composition } from './compose.ts'
import { CompositionError, type Problem } from './problem.ts'

/** A repository for tests: two subgraphs that compose, and what a test adds to them. */
export interface Repository {
  /** SDL added to the subgraph `orders`. */
  readonly orders?: string
  /** SDL of a third subgraph; its header is added. */
  readonly loyalty?: string
  /** Operation in apps/orders/tools/t.graphql. */
  readonly tool?: string
  /** Files by path, besides or instead of those above. */
  readonly files?: Readonly<Record<string, string>>
}

export const header = `extend schema
  @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@shareable", "@external", "@requires", "@inaccessible", "@authenticated", "@requiresScopes", "@policy", "@listSize"])
  @link(url: "https://behalf.dev/identity/v0.1", import: ["@identity", "@owner", "@owned", "@public", "@subject", "@notSubject", "@agent", "@delegates", "@approves", "@tool"])
`

const identity = `${header}
type Query {
  viewer: User @authenticated
  user(id: ID! @subject(unless: [["users:read"]])): User @requiresScopes(scopes: [["users:read"]])
}
type User @key(fields: "id") @owner(field: "id", unless: [["users:read"]]) { id: ID! name: String }
`

const orders = `${header}
scalar Decimal
type Query { order(id: ID!): Order @requiresScopes(scopes: [["orders:read"]]) }
type Mutation { cancelOrder(orderId: ID!, reason: String): Order @requiresScopes(scopes: [["orders:write"]]) }
type User @key(fields: "id", resolvable: false) { id: ID! }
type Order @key(fields: "id") @owner(field: "userId") {
  id: ID!
  total: Decimal!
  status: Status!
  buyer: User
  items: [Item!]!
}
enum Status { "Received." PLACED "On its way." SHIPPED }
type Item @owned(through: "parent") { sku: String! name: String }
`

/** Writes the repository into a temporary folder, composes it, and removes it. */
export async function composed(repository: Repository = {}): Promise<Composition> {
  const root = mkdtempSync(join(tmpdir(), 'composition-'))
  const files: Record<string, string> = {
    'apps/identity/behalf.json': JSON.stringify({ name: 'identity', schema: 'src/schema.graphql', port: 4101 }),
    'apps/identity/src/schema.graphql': identity,
    'apps/orders/behalf.json': JSON.stringify({ name: 'orders', schema: 'src/schema.graphql', port: 4102 }),
    'apps/orders/src/schema.graphql': orders + (repository.orders ?? ''),
    ...(repository.tool === undefined ? {} : { 'apps/orders/tools/t.graphql': repository.tool }),
    ...repository.files,
  }
  if (repository.loyalty !== undefined) {
    files['apps/loyalty/behalf.json'] = JSON.stringify({ name: 'loyalty', schema: 'src/schema.graphql', port: 4105 })
    files['apps/loyalty/src/schema.graphql'] = header + repository.loyalty
  }
  try {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, path)), { recursive: true })
      writeFileSync(join(root, path), text)
    }
    return await compose({ root })
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

/** The problems of a repository that does not compose. */
export async function refused(repository: Repository): Promise<readonly Problem[]> {
  try {
    await composed(repository)
  } catch (error) {
    if (error instanceof CompositionError) return error.problems
    throw error
  }
  throw new Error('It composed.')
}

/** The one tool of a repository, compiled. */
export async function compiled(repository: Repository) {
  const { graph } = await composed(repository)
  const [only] = graph.tools
  if (!only) throw new Error('There is no tool.')
  return only
}

/** An operation in apps/orders/tools/t.graphql, with a description. */
export function tool(operation: string, more = ''): Repository {
  return { tool: `"""What it does."""\n${operation}`, orders: more }
}

/** SDL of more fields of Query. */
export function query(fields: string): string {
  return `extend type Query { ${fields} }`
}
