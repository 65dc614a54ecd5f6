import { composeServices } from '@apollo/composition'
import { parse, print, visit } from 'graphql'
import type { DirectiveNode, DocumentNode, GraphQLSchema } from 'graphql'
import { linkedSpecs } from './linked-specs.ts'
import { adviceOnFederation } from './problem-codes.ts'
import type { Problems } from './problem.ts'
import { placeOf, type SubgraphSource } from './read-subgraph.ts'

/** What Federation makes of the subgraphs. */
export interface Supergraph {
  /** With the authorization directives that the rules are read from. */
  readonly document: DocumentNode
  /** Without them: @apollo/gateway refuses to load them (`UNSUPPORTED_LINKED_FEATURE`). */
  readonly sdl: string
  /** What clients see. */
  readonly api: GraphQLSchema
}

const authSpecs = new Set(['authenticated', 'requiresScopes', 'policy'])
const authSpecUrl = /^https:\/\/specs\.apollo\.dev\/(authenticated|requiresScopes|policy)\/v/
/** Specifications with a purpose that @apollo/gateway 2.14 can execute. */
const executableSpecUrl = /^https:\/\/specs\.apollo\.dev\/(core|link|join|tag|inaccessible)\/v/

/** Composes the stripped schemas; null, and problems, where Federation refuses. */
export function composeSupergraph(subgraphs: readonly SubgraphSource[], problems: Problems): Supergraph | null {
  const result = composeServices(
    subgraphs.map(({ app, stripped }) => ({
      name: app.name,
      url: `http://127.0.0.1:${app.port}/graphql`,
      typeDefs: stripped,
    })),
  )
  if (result.errors) {
    for (const error of result.errors) {
      const code = typeof error.extensions['code'] === 'string' ? error.extensions['code'] : 'COMPOSITION_FAILED'
      problems.addForeign({
        code,
        message: error.message,
        ...placeOf(error),
        advice:
          adviceOnFederation[code] ??
          'See https://www.apollographql.com/docs/graphos/schema-design/federated-schemas/reference/errors for this code.',
      })
    }
    return null
  }
  const document = parse(result.supergraphSdl)
  const unsupported = linkedSpecs(document).filter(
    (link) => link.for !== null && !authSpecUrl.test(link.url) && !executableSpecUrl.test(link.url),
  )
  for (const link of unsupported) {
    problems.add('SPEC_UNSUPPORTED', undefined, `The composed graph needs ${link.url}.`)
  }
  if (unsupported.length > 0) return null
  return { document, sdl: `${print(withoutAuth(document))}\n`, api: result.schema.toAPISchema().toGraphQLJSSchema() }
}

function withoutAuth(document: DocumentNode): DocumentNode {
  const links = new Set<DirectiveNode>(
    linkedSpecs(document).flatMap((link) => (authSpecUrl.test(link.url) ? [link.node] : [])),
  )
  return visit(document, {
    Directive: (node) => (links.has(node) || authSpecs.has(node.name.value) ? null : undefined),
    DirectiveDefinition: (node) => (authSpecs.has(node.name.value) ? null : undefined),
    ScalarTypeDefinition: (node) =>
      /^(requiresScopes__Scope|policy__Policy|federation__Scope|federation__Policy)$/.test(node.name.value)
        ? null
        : undefined,
  })
}
