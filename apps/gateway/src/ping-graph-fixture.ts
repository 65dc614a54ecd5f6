import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Writes the graph of one field, `Query.ping`, of a subgraph that nobody serves; answers where it is. */
export async function writePingGraph(folder: string): Promise<string> {
  const path = join(folder, 'graph.json')
  const subgraphs = { ping: { facts: [], scopes: [], timeoutMs: 1000 } }
  await writeFile(
    path,
    JSON.stringify({ format: 1, hash: 'h', supergraph, subgraphs, rules: {}, subjects: {}, owners: {}, tools: [] }),
  )
  return path
}

const supergraph = `
schema @link(url: "https://specs.apollo.dev/link/v1.0") @link(url: "https://specs.apollo.dev/join/v0.5", for: EXECUTION) { query: Query }
directive @join__directive(graphs: [join__Graph!], name: String!, args: join__DirectiveArguments) repeatable on SCHEMA | OBJECT | INTERFACE | FIELD_DEFINITION
directive @join__enumValue(graph: join__Graph!) repeatable on ENUM_VALUE
directive @join__field(graph: join__Graph, requires: join__FieldSet, provides: join__FieldSet, type: String, external: Boolean, override: String, usedOverridden: Boolean, overrideLabel: String, contextArguments: [join__ContextArgument!]) repeatable on FIELD_DEFINITION | INPUT_FIELD_DEFINITION
directive @join__graph(name: String!, url: String!) on ENUM_VALUE
directive @join__implements(graph: join__Graph!, interface: String!) repeatable on OBJECT | INTERFACE
directive @join__type(graph: join__Graph!, key: join__FieldSet, extension: Boolean! = false, resolvable: Boolean! = true, isInterfaceObject: Boolean! = false) repeatable on OBJECT | INTERFACE | UNION | ENUM | INPUT_OBJECT | SCALAR
directive @join__unionMember(graph: join__Graph!, member: String!) repeatable on UNION
directive @link(url: String, as: String, for: link__Purpose, import: [link__Import]) repeatable on SCHEMA
input join__ContextArgument { name: String! type: String! context: String! selection: join__FieldValue! }
scalar join__DirectiveArguments
scalar join__FieldSet
scalar join__FieldValue
scalar link__Import
enum join__Graph { PING @join__graph(name: "ping", url: "http://127.0.0.1:1/graphql") }
enum link__Purpose { SECURITY EXECUTION }
type Query @join__type(graph: PING) { ping: String }
`
