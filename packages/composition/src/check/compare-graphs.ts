import { Supergraph } from '@apollo/federation-internals'
import type { Graph } from '@behalf/identity'
import { findBreakingChanges, findDangerousChanges, Kind, parse, type GraphQLSchema } from 'graphql'
import { compare } from '../problem.ts'
import type { Change, Tell } from './change.ts'
import { compareOwners } from './compare-owners.ts'
import { compareRules, compareSubjects } from './compare-rules.ts'
import { compareTools } from './compare-tools.ts'

const order = ['LOOSENED', 'BREAKING', 'NOTED']

/**
 * What differs between two graphs, for clients, agents and those whose data it is: what was loosened first, then
 * what breaks, then the rest. What is new and takes nothing from anybody is no difference, but for tools, and for
 * what subgraphs are told about callers.
 *
 * @throws {Error} for a supergraph that cannot be read
 */
export function compareGraphs(before: Graph, after: Graph): readonly Change[] {
  const changes: Change[] = []
  const tell: Tell = (level, code, at, message) => void changes.push({ level, code, at, message })
  const [old, current] = [apiOf(before), apiOf(after)]
  for (const { type, description } of findBreakingChanges(old, current))
    changes.push({ level: 'BREAKING', code: type, at: coordinateOf(description), message: description })
  for (const { type, description } of findDangerousChanges(old, current))
    changes.push({ level: 'NOTED', code: type, at: coordinateOf(description), message: description })
  const there = coordinatesOf(after)
  const kept = new Set([...coordinatesOf(before)].filter((coordinate) => there.has(coordinate)))
  compareRules(before, after, kept, tell)
  compareSubjects(before, after, kept, tell)
  compareOwners(before, after, tell)
  compareSubgraphs(before, after, tell)
  compareTools(before, after, tell)
  return changes.toSorted(
    (a, b) => order.indexOf(a.level) - order.indexOf(b.level) || compare(a.at, b.at) || compare(a.message, b.message),
  )
}

/** What clients see. */
const apiOf = ({ supergraph }: Graph): GraphQLSchema => Supergraph.build(supergraph).apiSchema().toGraphQLJSSchema()

/** graphql-js says where in words alone: `Order.total was removed.`, `PAID was removed from enum type Status.` */
const coordinateOf = (description: string) =>
  /\b\w+\.\w+/.exec(description)?.[0] ??
  /(?:type|scalar) (\w+)/.exec(description)?.[1] ??
  description.split(' ')[0] ??
  ''

/** Types, fields, arguments and input fields, whether or not clients see them: rules hold for all. */
function coordinatesOf({ supergraph }: Graph): ReadonlySet<string> {
  const coordinates = new Set<string>()
  for (const node of parse(supergraph, { noLocation: true }).definitions) {
    if (!('name' in node) || !node.name || node.kind === Kind.DIRECTIVE_DEFINITION) continue
    const type = node.name.value
    coordinates.add(type)
    if (!('fields' in node)) continue
    for (const field of node.fields ?? []) {
      const coordinate = `${type}.${field.name.value}`
      coordinates.add(coordinate)
      if (!('arguments' in field)) continue
      for (const argument of field.arguments ?? []) coordinates.add(`${coordinate}(${argument.name.value}:)`)
    }
  }
  return coordinates
}

/** Who is told more about callers than before: a subgraph that is new, of all that it is told. */
function compareSubgraphs(before: Graph, after: Graph, tell: Tell): void {
  for (const [name, { facts, scopes }] of Object.entries(after.subgraphs)) {
    const at = `subgraph ${name}`
    const known = before.subgraphs[name]
    for (const fact of facts)
      if (known?.facts.includes(fact) !== true)
        tell('LOOSENED', 'FACTS', at, `${name} is now told the ${fact} of callers.`)
    for (const scope of scopes)
      if (known?.scopes.includes(scope) === false)
        tell('NOTED', 'SUBGRAPH_SCOPES', at, `${name} is now told whether callers have the scope ${scope}.`)
    for (const fact of known?.facts ?? [])
      if (!facts.includes(fact)) tell('NOTED', 'FACTS', at, `${name} is no longer told the ${fact} of callers.`)
  }
}
