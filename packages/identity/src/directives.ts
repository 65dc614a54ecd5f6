import { Kind, parse, valueFromASTUntyped } from 'graphql'
import type {
  DirectiveNode,
  DocumentNode,
  FieldDefinitionNode,
  InputValueDefinitionNode,
  ObjectTypeDefinitionNode,
  ObjectTypeExtensionNode,
} from 'graphql'
import type { AgentAccess, FieldRule } from './graph.ts'
import type { OperationType } from './principal.ts'

/** What a subgraph links: `extend schema @link(url: "https://behalf.dev/identity/v0.1", import: [...])`. */
export const identitySpecUrl = 'https://behalf.dev/identity/v0.1'

/**
 * SDL of the definitions that {@link identitySpecUrl} stands for, to be added to a subgraph's own.
 * A type of a linked specification that is not imported carries its prefix (link v1.0).
 */
export const identityDirectives = `
"Facts of the caller that this subgraph receives; it receives no other."
directive @identity(facts: [String!]!) on SCHEMA

"\`field\` of the resolved object names its owner. A foreign object becomes null, except to a human who holds one of \`unless\`, within their tenant."
directive @owner(field: String!, claim: String! = "sub", unless: [[String!]!]) on OBJECT

"Part of the owned object it is reached through."
directive @owned(through: String!) on OBJECT

"Belongs to nobody."
directive @public on OBJECT

"Names a principal: filled from the caller and hidden from tools. Another value is refused, except from a human who holds one of \`unless\`."
directive @subject(claim: String! = "sub", unless: [[String!]!]) on ARGUMENT_DEFINITION | INPUT_FIELD_DEFINITION | VARIABLE_DEFINITION

"Looks like it names a principal, and does not."
directive @notSubject(reason: String!) on ARGUMENT_DEFINITION | INPUT_FIELD_DEFINITION

"What an agent may do here. Without it: Mutation fields APPROVE, all others ALLOW."
directive @agent(access: identity__AgentAccess!) on FIELD_DEFINITION

enum identity__AgentAccess {
  ALLOW
  "Only with the user's approval of exactly this call. On Mutation fields only."
  APPROVE
  DENY
}

"A call here may start an agent."
directive @delegates(agent: String!) on FIELD_DEFINITION

"With a call here a person decides what an agent asked for: its id, argumentsHash and decision (APPROVE or another) say what. It starts no agent."
directive @approves on FIELD_DEFINITION

"A tool: an operation, or a root field that one is generated for. \`summary\` is what a user is asked to approve, such as \`Cancel order {orderId}\`."
directive @tool(name: String, title: String, summary: String, examples: [String!]! = []) on FIELD_DEFINITION | QUERY | MUTATION
`

/** Names of the directives that {@link identityDirectives} defines. */
export const identityDirectiveNames: ReadonlySet<string> = new Set(
  parse(identityDirectives).definitions.flatMap((definition) =>
    definition.kind === Kind.DIRECTIVE_DEFINITION ? [definition.name.value] : [],
  ),
)

/** A claim of the caller that can name an owner or fill an argument. */
export type IdentityClaim = 'sub' | 'tenant'

/** Whose the objects of a type are. */
export type Ownership =
  | { readonly kind: 'owner'; readonly field: string; readonly claim: string; readonly unless: ScopeSets }
  | { readonly kind: 'owned'; readonly through: string }
  | { readonly kind: 'public' }

/** Alternatives, each a list of scopes that are needed together. */
export type ScopeSets = readonly (readonly string[])[]

/** The directives of a field or type, as one subgraph declares it. */
export interface DeclaredRule extends Pick<FieldRule, 'authenticated' | 'scopes' | 'policies' | 'agent'> {
  /** The agent that `@delegates` names. */
  readonly delegates: string | null
  /** Whether it has `@approves`. */
  readonly approves: boolean
}

/** Whatever carries directives in SDL. */
interface Declaration {
  readonly directives?: readonly DirectiveNode[] | undefined
}

/**
 * Reads what a field definition (or a type, for the rules that types carry) asks of a caller.
 *
 * @param root the operation type whose root fields these are; null for fields of other types
 */
export function readRule(node: FieldDefinitionNode | Declaration, root: OperationType | null): DeclaredRule {
  return {
    authenticated: argumentsOf(node, 'authenticated') !== null,
    scopes: scopeSets(argumentsOf(node, 'requiresScopes')?.['scopes']),
    policies: scopeSets(argumentsOf(node, 'policy')?.['policies']),
    agent: agentAccess(argumentsOf(node, 'agent'), root === 'mutation' ? 'APPROVE' : 'ALLOW'),
    delegates: text(argumentsOf(node, 'delegates')?.['agent']),
    approves: argumentsOf(node, 'approves') !== null,
  }
}

/** Reads whose the objects of a type are; null where its declaration does not say. */
export function readOwnership(node: ObjectTypeDefinitionNode | ObjectTypeExtensionNode): Ownership | null {
  const owner = argumentsOf(node, 'owner')
  if (owner) {
    return {
      kind: 'owner',
      field: text(owner['field']) ?? '',
      claim: text(owner['claim']) ?? 'sub',
      unless: scopeSets(owner['unless']),
    }
  }
  const owned = argumentsOf(node, 'owned')
  if (owned) return { kind: 'owned', through: text(owned['through']) ?? '' }
  return argumentsOf(node, 'public') ? { kind: 'public' } : null
}

/** Reads `@subject` of an argument, input field or variable; null where there is none. */
export function readSubject(
  node: InputValueDefinitionNode | Declaration,
): { readonly claim: string; readonly unless: ScopeSets } | null {
  const subject = argumentsOf(node, 'subject')
  return subject && { claim: text(subject['claim']) ?? 'sub', unless: scopeSets(subject['unless']) }
}

/** Reads the facts that a subgraph declares with `@identity(facts:)`, sorted. */
export function readFacts(document: DocumentNode): string[] {
  const facts = document.definitions.flatMap((definition) =>
    definition.kind === Kind.SCHEMA_DEFINITION || definition.kind === Kind.SCHEMA_EXTENSION
      ? listOf(argumentsOf(definition, 'identity')?.['facts']).map(String)
      : [],
  )
  return [...new Set(facts)].toSorted()
}

/** Arguments of the first directive of that name; null where there is none. */
function argumentsOf(node: Declaration, name: string): Record<string, unknown> | null {
  const directive = node.directives?.find((candidate) => candidate.name.value === name)
  if (!directive) return null
  return Object.fromEntries(
    (directive.arguments ?? []).map((argument) => [argument.name.value, valueFromASTUntyped(argument.value)]),
  )
}

/** What is none of the values allows nothing. */
function agentAccess(agent: Record<string, unknown> | null, otherwise: AgentAccess): AgentAccess {
  if (agent === null) return otherwise
  const access = agent['access']
  return access === 'ALLOW' || access === 'APPROVE' ? access : 'DENY'
}

function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}

/**
 * Whatever is no text becomes one: of scopes that are needed together none is left out. Federation's scopes are of a
 * scalar of its own, as which any value is valid.
 */
function scopeSets(value: unknown): string[][] {
  return listOf(value).map((set) => (Array.isArray(set) ? set : [set]).map(String))
}

/** GraphQL coerces a single value to a list of it. */
function listOf(value: unknown): unknown[] {
  if (value === undefined || value === null) return []
  return Array.isArray(value) ? value : [value]
}
