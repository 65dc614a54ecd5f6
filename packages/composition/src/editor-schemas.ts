import { buildSubgraph } from '@apollo/federation-internals'
import { identityDirectives } from '@behalf/identity'
import { concatAST, Kind, parse, print, printSchema, type DefinitionNode } from 'graphql'
import { composeSupergraph } from './compose-supergraph.ts'
import { readApps } from './find-apps.ts'
import { collectProblems } from './problem.ts'
import { readSubgraph } from './read-subgraph.ts'

/** GraphQL texts by which an editor completes and checks what teams write. */
export interface EditorSchemas {
  /** For tools and other operations: what clients see, and the directives that tools have. */
  readonly graph: string
  /** For the SDL of each app, by the app's directory: what its `@link`s stand for. */
  readonly definitions: ReadonlyMap<string, string>
}

/** @throws {CompositionError} where the subgraphs do not compose */
export function editorSchemas({ root }: { readonly root: string }): EditorSchemas {
  const problems = collectProblems()
  const subgraphs = readApps(root, problems).flatMap((app) => readSubgraph(root, app, problems) ?? [])
  problems.throwIfAny()
  const supergraph = composeSupergraph(subgraphs, problems)
  problems.throwIfAny()
  const ours = parse(identityDirectives, { noLocation: true })
  const definitions = subgraphs.map(({ app, document, stripped }) => {
    const { schema } = buildSubgraph(app.name, '', stripped)
    const whole = concatAST([parse(printSchema(schema.toGraphQLJSSchema()), { noLocation: true }), ours])
    const own = new Set(document.definitions.map(nameOf))
    const linked = whole.definitions.filter((node) => /^(@|\w+__)/.test(nameOf(node)) && !own.has(nameOf(node)))
    return [app.directory, `${print({ ...whole, definitions: linked })}\n`] as const
  })
  const directives = print({ ...ours, definitions: ours.definitions.filter((node) => ofOperations.has(nameOf(node))) })
  return {
    graph: `${supergraph ? printSchema(supergraph.api) : ''}\n\n${directives}\n`,
    definitions: new Map(definitions),
  }
}

const ofOperations: ReadonlySet<string> = new Set(['@tool', '@subject'])

function nameOf(node: DefinitionNode): string {
  const name = 'name' in node && node.name ? node.name.value : ''
  return node.kind === Kind.DIRECTIVE_DEFINITION ? `@${name}` : name
}
