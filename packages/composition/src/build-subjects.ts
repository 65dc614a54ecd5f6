import { type Graph, readSubject, type SubjectRule } from '@behalf/identity'
import { isInputObjectType, isInterfaceType, isIntrospectionType, isObjectType } from 'graphql'
import type { GraphQLInterfaceType, GraphQLObjectType, GraphQLSchema } from 'graphql'
import type { Declarations } from './declarations.ts'
import { compare, type Problems } from './problem.ts'

const claims = new Set(['sub', 'tenant'])

/**
 * Who may be named in the arguments and input fields of the composed graph: whatever any subgraph says of it with
 * `@subject`, all of which holds. An argument of an object's field is what its interfaces say of it, too; one of an
 * interface's field what any object behind it says: whoever asks through the interface must not get around that.
 */
export function buildSubjects(api: GraphQLSchema, declarations: Declarations, problems: Problems): Graph['subjects'] {
  const subjects = new Map<string, readonly SubjectRule[]>()
  const put = (coordinate: string, everywhere: readonly string[]) => {
    const rules = distinct(everywhere.flatMap((each) => rulesOf(each, declarations)))
    if (rules.length > 0) subjects.set(coordinate, rules)
  }
  for (const type of Object.values(api.getTypeMap())) {
    if (isIntrospectionType(type)) continue
    if (isInputObjectType(type)) {
      for (const field of Object.keys(type.getFields())) put(`${type.name}.${field}`, [`${type.name}.${field}`])
    } else if (isObjectType(type) || isInterfaceType(type)) {
      const names = relatedTypes(api, type)
      for (const field of Object.values(type.getFields())) {
        for (const argument of field.args) {
          const within = `${field.name}(${argument.name}:)`
          put(
            `${type.name}.${within}`,
            names.map((name) => `${name}.${within}`),
          )
        }
      }
    }
  }
  for (const coordinate of declarations.inputs.keys()) checkDeclared(coordinate, declarations, problems)
  return Object.fromEntries([...subjects].toSorted(([a], [b]) => compare(a, b)))
}

function relatedTypes(api: GraphQLSchema, type: GraphQLObjectType | GraphQLInterfaceType): string[] {
  const objects = isObjectType(type) ? [type] : api.getPossibleTypes(type)
  const all = [type, ...objects].flatMap((each) => [each.name, ...each.getInterfaces().map(({ name }) => name)])
  return [...new Set(all)]
}

function rulesOf(coordinate: string, declarations: Declarations): SubjectRule[] {
  return (declarations.inputs.get(coordinate) ?? []).flatMap(({ node }) => readSubject(node) ?? [])
}

function distinct(rules: readonly SubjectRule[]): SubjectRule[] {
  const byText = new Map(rules.map((rule) => [JSON.stringify(rule), rule]))
  return [...byText].toSorted(([a], [b]) => compare(a, b)).map(([, rule]) => rule)
}

function checkDeclared(coordinate: string, declarations: Declarations, problems: Problems): void {
  const declared = declarations.inputs.get(coordinate) ?? []
  for (const { node } of declared) {
    const claim = readSubject(node)?.claim
    if (claim !== undefined && !claims.has(claim))
      problems.add('CLAIM_UNKNOWN', node, `@subject of ${coordinate} names the claim "${claim}".`)
  }
  const said = Map.groupBy(declared, ({ node }) => JSON.stringify(readSubject(node)))
  const [, differs] = [...said.values()].map(([first]) => first)
  if (differs) {
    const message = `${differs.subgraph} says of ${coordinate} with @subject something else than another subgraph.`
    problems.warn('RULES_DISAGREE', differs.node, message)
  }
}
