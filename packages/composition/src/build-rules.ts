import { readRule, type AgentAccess, type FieldRule, type ScopeSets } from '@behalf/identity'
import { getNamedType, Kind } from 'graphql'
import type { DirectiveNode, DocumentNode, GraphQLOutputType, TypeNode } from 'graphql'
import type { Declarations } from './declarations.ts'
import type { Problems } from './problem.ts'
import { conjoin } from './scope-sets.ts'

/** By coordinate: `Query.order`, and `Order` for types with rules of their own. */
export type Rules = Readonly<Record<string, FieldRule>>

type Auth = Pick<FieldRule, 'authenticated' | 'scopes' | 'policies'>

const open: Auth = { authenticated: false, scopes: [], policies: [] }
const strictness: Readonly<Record<AgentAccess, number>> = { ALLOW: 0, APPROVE: 1, DENY: 2 }

/** The rule of every coordinate that has none of its own. */
export const defaultRule: FieldRule = { ...open, agent: 'ALLOW', delegates: null, approves: null }

/**
 * The rules of the composed graph: a field's own AND those of the type it returns, as Federation composed them
 * over all subgraphs (AND) and from implementations to their interfaces; ours from the subgraphs' declarations, those
 * of an interface and its implementations together, the strictest first. A policy is told what it decides about: those
 * of a type stay with the type. Mutation fields are always listed, so that none is open for want of an entry.
 */
export function buildRules(supergraph: DocumentNode, declarations: Declarations, problems: Problems): Rules {
  const types = new Map<string, Auth>()
  for (const node of supergraph.definitions) {
    if ('name' in node && node.name && node.kind !== Kind.DIRECTIVE_DEFINITION) {
      const auth = readAuth(node)
      if (restricts(auth)) types.set(node.name.value, auth)
    }
  }
  const rules: Record<string, FieldRule> = {}
  for (const [name, auth] of types) rules[name] = { ...defaultRule, ...auth }

  requireOneHome(declarations, problems)
  const implementations = implementationsOf(supergraph)
  for (const node of supergraph.definitions) {
    if (node.kind !== Kind.OBJECT_TYPE_DEFINITION && node.kind !== Kind.INTERFACE_TYPE_DEFINITION) continue
    const type = node.name.value
    for (const field of node.fields ?? []) {
      const coordinate = `${type}.${field.name.value}`
      const related = [...(implementations.get(type) ?? []), ...(node.interfaces ?? []).map(({ name }) => name.value)]
      const everywhere = [coordinate, ...related.map((name) => `${name}.${field.name.value}`)]
      const own = readAuth(field)
      const rule: FieldRule = {
        ...both(own, types.get(namedType(field.type)) ?? open),
        policies: own.policies,
        agent: strictest(everywhere.map((each) => agentAccess(each, declarations, problems))),
        delegates: delegates(coordinate, declarations, problems),
        approves: approves(coordinate, declarations, problems),
      }
      if (type === 'Mutation' || restricts(rule) || rule.agent !== 'ALLOW') rules[coordinate] = rule
    }
  }
  return rules
}

/** What a field asks for in all: its rule, and the policies of the type it returns. */
export function ruleOfField(rules: Rules, coordinate: string, type: GraphQLOutputType): FieldRule {
  const rule = rules[coordinate] ?? defaultRule
  const { policies } = rules[getNamedType(type).name] ?? defaultRule
  return policies.length > 0 ? { ...rule, policies: conjoin(rule.policies, policies) } : rule
}

/** What all of them ask for together. */
export function conjoinRules(rules: readonly FieldRule[]): Auth {
  return rules.reduce(both, open)
}

/** Whether any caller can be denied, be it an agent. */
export function isDeniable(rule: FieldRule): boolean {
  return restricts(rule) || rule.agent !== 'ALLOW'
}

/** Whether a user can be denied. */
export function restricts(rule: Auth): boolean {
  return rule.authenticated || rule.scopes.length > 0 || rule.policies.length > 0
}

function both(a: Auth, b: Auth): Auth {
  return {
    authenticated: a.authenticated || b.authenticated,
    scopes: conjoin(a.scopes, b.scopes),
    policies: conjoin(a.policies, b.policies),
  }
}

function readAuth(node: { readonly directives?: readonly DirectiveNode[] | undefined }): Auth {
  const { authenticated, scopes, policies } = readRule(node, null)
  return { authenticated, scopes: conjoin(scopes, []), policies: conjoin(policies, []) }
}

function agentAccess(coordinate: string, declarations: Declarations, problems: Problems): AgentAccess {
  const declared = declarations.fields.get(coordinate) ?? []
  for (const { node, root } of declared) {
    if (root !== 'mutation' && readRule(node, root).agent === 'APPROVE') {
      problems.add(
        'DIRECTIVE_MISPLACED',
        node,
        `@agent(access: APPROVE) on ${coordinate}: only mutations are approved.`,
      )
    }
  }
  const each = declared.map(({ node, root }) => readRule(node, root).agent)
  const access = strictest(each)
  const looser = declared[each.findIndex((other) => other !== access)]
  if (looser) {
    problems.warn(
      'RULES_DISAGREE',
      looser.node,
      `${coordinate} is @agent(access: ${access}) in another subgraph than ${looser.subgraph}.`,
    )
  }
  return access
}

function strictest(access: readonly AgentAccess[]): AgentAccess {
  return access.toSorted((a, b) => strictness[b] - strictness[a])[0] ?? 'ALLOW'
}

function delegates(coordinate: string, declarations: Declarations, problems: Problems): FieldRule['delegates'] {
  const declared = (declarations.fields.get(coordinate) ?? []).flatMap(({ node, root, subgraph }) => {
    const { delegates: agent } = readRule(node, root)
    return agent === null ? [] : [{ agent, subgraph, node, root }]
  })
  for (const { node, root } of declared) {
    if (root !== 'mutation')
      problems.add('DIRECTIVE_MISPLACED', node, `@delegates on ${coordinate}: only Mutation fields start agents.`)
  }
  const [first, second] = declared
  if (second)
    problems.add(
      'DELEGATES_TWICE',
      second.node,
      `${coordinate} has @delegates in ${first?.subgraph} and ${second.subgraph}.`,
    )
  return first ? { agent: first.agent, subgraph: first.subgraph } : null
}

/** What the gateway seals is what these say, so they have to be there; and no agent decides for its user. */
const decided = ['id', 'argumentsHash', 'decision']

function approves(coordinate: string, declarations: Declarations, problems: Problems): FieldRule['approves'] {
  const declared = (declarations.fields.get(coordinate) ?? []).filter(({ node, root }) => readRule(node, root).approves)
  for (const { node, root } of declared) {
    const misplaced = (why: string) => problems.add('DIRECTIVE_MISPLACED', node, `@approves on ${coordinate}: ${why}.`)
    const { agent, delegates: starts } = readRule(node, root)
    const required = (node.arguments ?? []).filter(({ type }) => type.kind === Kind.NON_NULL_TYPE)
    const missing = decided.filter((name) => !required.some((argument) => argument.name.value === name))
    if (root !== 'mutation') misplaced('only Mutation fields decide')
    else if (agent !== 'DENY') misplaced('it needs @agent(access: DENY)')
    else if (starts !== null) misplaced('what decides starts no agent')
    else if (missing.length > 0) misplaced(`it needs ${missing.map((name) => `${name}: ...!`).join(', ')}`)
  }
  const [first, second] = declared
  if (second)
    problems.add(
      'APPROVES_TWICE',
      second.node,
      `${coordinate} has @approves in ${first?.subgraph} and ${second.subgraph}.`,
    )
  return first?.subgraph ?? null
}

/** The handle of a delegation is good for whoever runs its agent: that is one subgraph, with one workload key. */
function requireOneHome({ fields }: Declarations, problems: Problems): void {
  const homes = new Map<string, string>()
  for (const { node, root, subgraph } of [...fields.values()].flat()) {
    const { delegates: agent } = readRule(node, root)
    if (agent === null) continue
    const home = homes.get(agent) ?? subgraph
    if (home === subgraph) homes.set(agent, home)
    else problems.add('AGENT_TWICE', node, `The agent "${agent}" runs in ${home} and in ${subgraph}.`)
  }
}

function implementationsOf(document: DocumentNode): Map<string, string[]> {
  const implementations = new Map<string, string[]>()
  for (const node of document.definitions) {
    if (node.kind !== Kind.OBJECT_TYPE_DEFINITION) continue
    for (const { name } of node.interfaces ?? []) {
      implementations.set(name.value, [...(implementations.get(name.value) ?? []), node.name.value])
    }
  }
  return implementations
}

function namedType(type: TypeNode): string {
  return type.kind === Kind.NAMED_TYPE ? type.name.value : namedType(type.type)
}

/** Scopes and policies that a rule names, for a message. */
export function describeRule(rule: FieldRule): string {
  const sets = (names: ScopeSets) => names.map((set) => set.join(' + ')).join(' or ')
  if (rule.policies.length > 0) return `@policy ${sets(rule.policies)}`
  if (rule.scopes.length > 0) return `@requiresScopes ${sets(rule.scopes)}`
  return rule.authenticated ? '@authenticated' : `@agent(access: ${rule.agent})`
}
