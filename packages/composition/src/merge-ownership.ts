import { readOwnership, type Graph, type Ownership } from '@behalf/identity'
import { Kind } from 'graphql'
import type { Declarations, Declared, ObjectNode } from './declarations.ts'
import { compare, type Problems } from './problem.ts'
import { conjoin } from './scope-sets.ts'

const claims = new Set(['sub', 'tenant'])
const strictness = { public: 0, owned: 1, owner: 2 } as const

/** Whose the objects of a type are, from all subgraphs; `principal`: they own themselves, as users do. */
type TypeOwnership = Ownership & { readonly principal: boolean }

export interface Ownerships {
  /** By object type of the composed graph; absent where nobody says. */
  readonly of: ReadonlyMap<string, TypeOwnership>
  /** By object type and subgraph: what each says, in the order of the types' names. */
  readonly said: Graph['owners']
  /** By object type: the subgraphs' declarations that should say and do not. */
  readonly unsaid: ReadonlyMap<string, readonly Declared<ObjectNode>[]>
}

/**
 * Merges what the subgraphs say of each type. Every subgraph that gives a type fields says it; one that only
 * refers to a type (its keys, and fields that are `@external`) need not, since it returns nothing of it.
 */
export function mergeOwnership(declarations: Declarations, problems: Problems): Ownerships {
  const ownerships = new Map<string, TypeOwnership>()
  const unsaid = new Map<string, readonly Declared<ObjectNode>[]>()
  const bySubgraph: [string, Graph['owners'][string]][] = []
  for (const [type, nodes] of declarations.objects) {
    if (nodes.some(({ root }) => root !== null)) continue
    const missing: Declared<ObjectNode>[] = []
    const said: { ownership: Ownership; node: ObjectNode; subgraph: string }[] = []
    for (const [subgraph, inSubgraph] of Map.groupBy(nodes, (node) => node.subgraph)) {
      const statements = inSubgraph.flatMap(({ node }) => {
        const ownership = readOwnership(node)
        return ownership ? [{ ownership, node, subgraph }] : []
      })
      checkOnce(type, inSubgraph, problems)
      said.push(...statements.slice(0, 1))
      if (statements.length === 0 && !isStub(inSubgraph)) missing.push(...inSubgraph.slice(0, 1))
    }
    if (missing.length > 0) unsaid.set(type, missing)
    const [first, ...others] = said
    if (!first) continue
    bySubgraph.push([type, Object.fromEntries(said.map(({ subgraph, ownership }) => [subgraph, ownership]))])
    for (const { ownership, node } of others) {
      const message = `${type} is ${describe(ownership)} here and ${describe(first.ownership)} in another subgraph.`
      if (!agree(first.ownership, ownership)) problems.add('OWNERSHIP_DISAGREES', node, message)
      else if (describe(first.ownership) !== describe(ownership)) problems.warn('OWNERSHIP_DISAGREES', node, message)
    }
    for (const { ownership, node } of said) {
      if (ownership.kind === 'owner' && !claims.has(ownership.claim)) {
        problems.add('CLAIM_UNKNOWN', node, `@owner of ${type} names the claim "${ownership.claim}".`)
      }
    }
    const keys = new Set(nodes.flatMap(({ node }) => keysOf(node).map(({ fields }) => fields)))
    const principal = said.some(
      ({ ownership }) => ownership.kind === 'owner' && (ownership.field === 'id' || keys.has(ownership.field)),
    )
    const strictest = said.toSorted((a, b) => strictness[b.ownership.kind] - strictness[a.ownership.kind])[0] ?? first
    ownerships.set(type, { ...strictest.ownership, principal })
  }
  return { of: ownerships, unsaid, said: Object.fromEntries(bySubgraph.toSorted(([a], [b]) => compare(a, b))) }
}

/**
 * Which field names the owner, and who else may see, is each subgraph's own affair: it checks its own objects.
 * Whether they have an owner is not.
 */
function agree(a: Ownership, b: Ownership): boolean {
  return a.kind === b.kind && (a.kind !== 'owner' || b.kind !== 'owner' || a.claim === b.claim)
}

function describe(ownership: Ownership): string {
  if (ownership.kind === 'public') return '@public'
  if (ownership.kind === 'owned') return `@owned(through: "${ownership.through}")`
  const unless = ownership.unless.length > 0 ? `, unless: ${JSON.stringify(conjoin(ownership.unless, []))}` : ''
  return `@owner(claim: "${ownership.claim}"${unless})`
}

function checkOnce(type: string, nodes: readonly Declared<ObjectNode>[], problems: Problems): void {
  const statements = nodes.flatMap(({ node }) =>
    (node.directives ?? []).filter(({ name }) => ['owner', 'owned', 'public'].includes(name.value)),
  )
  const [, second] = statements
  if (second) problems.add('OWNERSHIP_TWICE', second, `${type} says twice whose it is.`)
}

/** A reference to a type of other subgraphs: it resolves nothing of it but its keys. */
function isStub(nodes: readonly Declared<ObjectNode>[]): boolean {
  const keys = nodes.flatMap(({ node }) => keysOf(node))
  const keyFields = new Set(keys.flatMap(({ fields }) => fields.match(/\w+/g) ?? []))
  const isReference = nodes.every(
    ({ node }) =>
      node.kind === Kind.OBJECT_TYPE_EXTENSION ||
      node.directives?.some(({ name }) => /(^|__)extends$/.test(name.value)),
  )
  return (
    (isReference || (keys.length > 0 && keys.every(({ resolvable }) => !resolvable))) &&
    nodes.every(({ node }) =>
      (node.fields ?? []).every(
        (field) =>
          keyFields.has(field.name.value) || field.directives?.some(({ name }) => /(^|__)external$/.test(name.value)),
      ),
    )
  )
}

/** Every `@key` of a declaration. */
export function keysOf(node: ObjectNode): { fields: string; resolvable: boolean }[] {
  return (node.directives ?? []).flatMap((directive) => {
    if (!/(^|__)key$/.test(directive.name.value)) return []
    const fields = directive.arguments?.find(({ name }) => name.value === 'fields')?.value
    const resolvable = directive.arguments?.find(({ name }) => name.value === 'resolvable')?.value
    if (fields?.kind !== Kind.STRING) return []
    return [{ fields: fields.value.trim(), resolvable: !(resolvable?.kind === Kind.BOOLEAN && !resolvable.value) }]
  })
}
