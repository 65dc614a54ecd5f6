import {
  subjectNames,
  readFacts,
  readRule,
  type Graph,
  type GraphSubgraph,
  type ToolDefinition,
} from '@behalf/identity'
import { Kind, visit } from 'graphql'
import { buildRules } from './build-rules.ts'
import { buildSubjects } from './build-subjects.ts'
import { canonicalHash } from './canonical-hash.ts'
import { compileTool, type ToolGraph } from './compile-tool.ts'
import { composeSupergraph } from './compose-supergraph.ts'
import { indexDeclarations } from './declarations.ts'
import { readApps } from './find-apps.ts'
import { findTools, type ToolSource } from './find-tools.ts'
import { generateTools } from './generate-tool.ts'
import { mergeOwnership } from './merge-ownership.ts'
import { collectProblems, compare, locate, type Problem, type Problems } from './problem.ts'
import { proveKeys } from './prove-keys.ts'
import { proveOwnership } from './prove-ownership.ts'
import { readSubgraph, type SubgraphSource } from './read-subgraph.ts'
import { namesIn } from './scope-sets.ts'
import { readSettings } from './settings.ts'

/** What `behalf compose` makes. */
export interface Composition {
  readonly graph: Graph
  /** What composes, and should be looked at. */
  readonly warnings: readonly Problem[]
}

/**
 * Composes the subgraphs and tools below `root` (`apps/*`) and proves what graph.json promises: that every object
 * has somebody it belongs to, that a denial kills no siblings, and that no input that a model fills chooses whose
 * rows or authority are used.
 *
 * @throws {CompositionError} with everything that is wrong
 */
export async function compose({ root }: { readonly root: string }): Promise<Composition> {
  const problems = collectProblems()
  const settings = readSettings(root, problems)
  const apps = readApps(root, problems)
  if (apps.length === 0) problems.add('NO_SUBGRAPHS', undefined, 'There is no subgraph to compose.')
  problems.throwIfAny()

  const subgraphs = apps.flatMap((app) => readSubgraph(root, app, problems) ?? [])
  const files = findTools(root, problems)
  problems.throwIfAny()

  const supergraph = composeSupergraph(subgraphs, problems)
  const declarations = indexDeclarations(subgraphs)
  const ownerships = mergeOwnership(declarations, problems)
  if (!supergraph) {
    problems.throwIfAny()
    throw new Error('Federation composed nothing and gave no reason.')
  }
  const { api } = supergraph
  const rules = buildRules(supergraph.document, declarations, problems)
  const subjects = buildSubjects(api, declarations, problems)
  proveOwnership(api, rules, ownerships, declarations, problems)
  proveKeys(api, rules, declarations, problems)

  const namesSubject = subjectNames(settings.subjectNames)
  const toolGraph = { api, rules, declarations, ownerships, namesSubject, scalars: settings.scalars }
  const tools = compileTools([...files, ...generateTools(toolGraph, problems)], toolGraph, problems)
  problems.throwIfAny()

  const graph: Omit<Graph, 'hash'> = {
    format: 1,
    supergraph: supergraph.sdl,
    subgraphs: Object.fromEntries(subgraphs.map((subgraph) => [subgraph.app.name, subgraphFacts(subgraph)])),
    rules: Object.fromEntries(Object.entries(rules).toSorted(([a], [b]) => compare(a, b))),
    subjects,
    owners: ownerships.said,
    tools,
  }
  return { graph: { ...graph, hash: canonicalHash(graph) }, warnings: problems.warnings }
}

function compileTools(sources: readonly ToolSource[], graph: ToolGraph, problems: Problems): ToolDefinition[] {
  const byName = new Map<string, ToolSource>()
  for (const source of sources) {
    const first = byName.get(source.name)
    if (first && !first.generated && source.generated) continue
    if (first) {
      const { file, line } = locate(first.place)
      problems.add('TOOL_DUPLICATE', source.place, `There is a tool "${source.name}" already, in ${file}:${line}.`)
    } else byName.set(source.name, source)
  }
  return [...byName.values()]
    .flatMap((source) => compileTool(source, graph, problems) ?? [])
    .toSorted((a, b) => compare(a.name, b.name))
}

/** Facts that it declared, and every scope that its fields and exceptions (`unless`) can ask for. */
function subgraphFacts({ app, document }: SubgraphSource): GraphSubgraph {
  const scopes = new Set<string>()
  visit(document, {
    Directive(node) {
      if (node.name.value === 'requiresScopes') {
        for (const scope of namesIn(readRule({ directives: [node] }, null).scopes)) scopes.add(scope)
      }
      const unless = node.arguments?.find(({ name }) => name.value === 'unless')
      if (unless && (node.name.value === 'owner' || node.name.value === 'subject')) {
        visit(unless, { [Kind.STRING]: ({ value }: { value: string }) => void scopes.add(value) })
      }
    },
  })
  return { facts: readFacts(document), scopes: [...scopes].toSorted(), timeoutMs: app.timeoutMs }
}
