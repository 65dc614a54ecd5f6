import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

const header = `extend schema
  @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@authenticated", "@requiresScopes"])
  @link(url: "https://behalf.dev/identity/v0.1", import: ["@identity", "@owner", "@owned", "@public"])
  @identity(facts: [])
`
/** Of the first subgraph, and of each of the others: what a user has there. */
const schemas = (index: number) =>
  index === 0
    ? `${header}
type Query { viewer: User @authenticated }
type Subscription { ticks: Tick @authenticated }
type Tick @public { at: Int! }
type User @key(fields: "id") @owner(field: "id") { id: ID!, name(style: String): String @requiresScopes(scopes: [["profile"]]) }
`
    : `${header}
type Query { ping${index}: Boolean }
type User @key(fields: "id") @owner(field: "id") { id: ID!, part${index}: Part${index} @requiresScopes(scopes: [["profile"]]) }
type Part${index} @owned(through: "parent") { title: String!, amount: Int!, isOpen: Boolean!, notes: [String!]! }
`

export const subgraphName = (index: number) => `part${index}`
export const toolName = (index: number) => `get_name_${index}`

/** What each subgraph answers, whatever it is asked. */
export const cannedAnswer = (index: number) =>
  index === 0
    ? { data: { viewer: { __typename: 'User', id: 'usr_u0', name: 'Ada' } } }
    : {
        data: { _entities: [{ __typename: 'User', [`part${index}`]: { ...partOf(index), t: `t${index}`, a: index } }] },
      }
export const partOf = (index: number) => ({ title: `t${index}`, amount: index })

/** A repository of so many subgraphs and tools, as `behalf compose` reads it. */
export function writeRepository(root: string, counts: { readonly subgraphs: number; readonly tools: number }): void {
  const write = (path: string, text: string) => {
    const file = join(root, path)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, text)
  }
  for (let index = 0; index < counts.subgraphs; index++) {
    const name = subgraphName(index)
    write(`apps/${name}/behalf.json`, JSON.stringify({ name, schema: 'src/schema.graphql', port: 10_000 + index }))
    write(`apps/${name}/src/schema.graphql`, schemas(index))
  }
  for (let index = 0; index < counts.tools; index++) {
    const name = toolName(index)
    const text = `"""\nThe name of the signed-in user, in style ${index}.\n"""\nquery ${name}($style: String = "plain") @tool { viewer { id name(style: $style) } }\n`
    write(`apps/${subgraphName(0)}/tools/${name}.graphql`, text)
  }
}
