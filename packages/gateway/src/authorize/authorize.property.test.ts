import type { FieldRule, Principal } from '@behalf/identity'
import fc from 'fast-check'
import {
  buildSchema,
  type DocumentNode,
  execute,
  type FieldNode,
  type FragmentDefinitionNode,
  getNamedType,
  getOperationAST,
  GraphQLError,
  type GraphQLFieldResolver,
  isAbstractType,
  isCompositeType,
  isInterfaceType,
  isObjectType,
  Kind,
  parse,
  print,
  type SelectionSetNode,
  validate,
} from 'graphql'
import { expect, it } from 'vitest'
import { createAuthorize } from './authorize.ts'
import { agent, hashOf, needs, nobody, person, rule } from './fixtures.ts'

const schema = buildSchema(`
  type Query { a: A, node: Node, nodes: [Node!], any: [Any], open: Int, strict: A! }
  interface Node { id: ID!, next: Node }
  type A implements Node { id: ID!, next: Node, x: Int, b: B, list: [B!]! }
  type B implements Node { id: ID!, next: Node, y(n: Int): Int, a: A! }
  union Any = A | B`)

const coordinates = [
  'Query.a',
  'Query.nodes',
  'Query.open',
  'A.x',
  'A.b',
  'A.list',
  'B.y',
  'B.a',
  'A.id',
  'B.next',
  'B',
]

/** As composition passes rules on: from an implementation to its interfaces, and from a type to what returns it. */
const implied: Readonly<Record<string, readonly string[]>> = {
  'A.id': ['Node.id'],
  'B.next': ['Node.next'],
  B: ['A.b', 'A.list', 'Node', 'Query.node', 'Query.nodes', 'A.next', 'B.next', 'Node.next'],
}
const conjoin = (a: FieldRule, b: FieldRule): FieldRule => ({
  ...a,
  authenticated: a.authenticated || b.authenticated,
  scopes:
    a.scopes.length === 0 || b.scopes.length === 0
      ? [...a.scopes, ...b.scopes]
      : a.scopes.flatMap((one) => b.scopes.map((other) => [...one, ...other])),
  policies: [...a.policies, ...b.policies],
  agent: a.agent === 'ALLOW' ? b.agent : a.agent,
})
const someRule = fc.constantFrom(
  needs('s'),
  needs('s', 't'),
  rule({ scopes: [['t'], ['u']] }),
  rule({ authenticated: true }),
  rule({ policies: [['p']] }),
  rule({ agent: 'DENY' }),
  rule({ agent: 'APPROVE' }),
)
const someRules = fc
  .dictionary(fc.constantFrom(...coordinates), someRule, { noNullPrototype: true, maxKeys: 5 })
  .map((own) => {
    const rules: Record<string, FieldRule> = { ...own }
    for (const [coordinate, others] of Object.entries(implied)) {
      const passed = own[coordinate]
      if (passed) for (const other of others) rules[other] = conjoin(rules[other] ?? rule(), passed)
    }
    return rules
  })
const somePrincipal = fc.oneof(
  fc.constant(nobody),
  fc.subarray(['s', 't', 'u']).map((scopes) => person(...scopes)),
  fc.subarray(['s', 't', 'u']).map((scopes) => agent(...scopes)),
)

/** Selections as text, of which `${parent}` decides the fields; `...F` is a fragment on Node. */
function selections(parent: 'Query' | 'A' | 'B' | 'Node' | 'Any', depth: number): fc.Arbitrary<string> {
  const inner = (type: typeof parent) => (depth === 0 ? fc.constant('{ __typename }') : selections(type, depth - 1))
  const condition = fc.constantFrom('', '', '', '@include(if: $on)', '@skip(if: $on)')
  const field = (name: string, type?: typeof parent) =>
    fc.tuple(condition, type ? inner(type) : fc.constant('')).map(([when, set]) => `${name} ${when} ${set}`)
  const on = (type: typeof parent) =>
    fc.tuple(condition, inner(type)).map(([when, set]) => `... on ${type} ${when} ${set}`)
  const spread = condition.map((when) => `...F ${when}`)
  const node = [field('id'), field('next', 'Node'), field('other: id'), spread]
  const choices = {
    Query: [
      field('a', 'A'),
      field('node', 'Node'),
      field('nodes', 'Node'),
      field('any', 'Any'),
      field('open'),
      field('strict', 'A'),
      field('q: a', 'A'),
      on('Query'),
    ],
    A: [...node, field('x'), field('b', 'B'), field('list', 'B'), on('A'), on('Node')],
    B: [...node, field('y'), field('y2: y(n: $n)'), field('a', 'A'), on('B'), on('Any')],
    Node: [...node, on('A'), on('B'), on('Any')],
    Any: [on('A'), on('B'), on('Node'), spread],
  }[parent]
  return fc
    .array(fc.oneof(...choices, fc.constant('__typename')), { minLength: 1, maxLength: 4 })
    .map((all) => `{ ${all.join(' ')} }`)
}

const someOperation = fc
  .tuple(
    selections('Query', 4),
    selections('Node', 1).filter((text) => !text.includes('...F')),
  )
  .map(([query, fragment]) => {
    const spread = query.includes('...F') ? ` fragment F on Node ${fragment}` : ''
    const used = [
      ...(`${query}${spread}`.includes('$on') ? ['$on: Boolean!'] : []),
      ...(`${query}${spread}`.includes('$n') ? ['$n: Int'] : []),
    ]
    return `query ${used.length > 0 ? `(${used.join(', ')})` : ''} ${query}${spread}`
  })
  .filter((text) => validate(schema, parse(text)).length === 0)

/** What the rules say, told anew from their definition. */
function denied(rules: Record<string, FieldRule>, { subject, scopes, actor }: Principal, coordinate: string): boolean {
  const own = rules[coordinate]
  if (!own) return false
  const isHeld = own.scopes.length === 0 || own.scopes.some((set) => set.every((each) => scopes.includes(each)))
  const isSignedIn = subject !== 'anonymous' || (!own.authenticated && own.scopes.length === 0)
  return !isHeld || !isSignedIn || own.policies.length > 0 || (actor !== null && own.agent !== 'ALLOW')
}

const nameOf = ({ alias, name, arguments: given = [], directives = [] }: FieldNode) =>
  [alias?.value, name.value, ...[...given, ...directives].map(print)].join(' ')

/** Every leaf of an operation, by its way there; null where something on the way is denied. */
function leaves(
  document: DocumentNode,
  isDenied: (coordinate: string) => boolean,
): { allowed: Set<string>; denied: number } {
  const fragments = new Map<string, FragmentDefinitionNode>()
  for (const node of document.definitions)
    if (node.kind === Kind.FRAGMENT_DEFINITION) fragments.set(node.name.value, node)
  const allowed = new Set<string>()
  let count = 0
  function walk({ selections: all }: SelectionSetNode, parent: string, way: string, isOff: boolean): void {
    for (const node of all) {
      const when = (node.directives ?? []).map(print).join(' ')
      if (node.kind === Kind.FIELD) {
        if (node.name.value === '__typename') continue
        const type = schema.getType(parent)
        const field = isObjectType(type) || isInterfaceType(type) ? type.getFields()[node.name.value] : undefined
        const here = `${way} ${parent}.${nameOf(node)}`
        const isGone = isOff || isDenied(`${parent}.${node.name.value}`)
        if (node.selectionSet && field) walk(node.selectionSet, getNamedType(field.type).name, here, isGone)
        else if (isGone) count++
        else allowed.add(here)
      } else {
        const fragment = node.kind === Kind.INLINE_FRAGMENT ? node : fragments.get(node.name.value)
        if (!fragment) continue
        const type = fragment.typeCondition?.name.value ?? parent
        walk(fragment.selectionSet, type, `${way} on ${type} ${when}`, isOff || isDenied(type))
      }
    }
  }
  const operation = getOperationAST(document)
  if (operation) walk(operation.selectionSet, 'Query', '', isDenied('Query'))
  return { allowed, denied: count }
}

const resolve: GraphQLFieldResolver<unknown, { isDenied: (coordinate: string) => boolean }> = (
  _s,
  _a,
  context,
  info,
) => {
  const { parentType, fieldName, returnType } = info
  const type = getNamedType(returnType)
  if ([`${parentType.name}.${fieldName}`, parentType.name].some(context.isDenied)) throw new GraphQLError('denied')
  const value = isCompositeType(type)
    ? { __typename: isAbstractType(type) ? (fieldName === 'next' ? 'A' : 'B') : type.name }
    : 7
  return /\[/.test(String(returnType)) ? [value, value] : value
}
const run = async (
  document: DocumentNode,
  variables: Record<string, unknown>,
  isDenied: (coordinate: string) => boolean,
) =>
  execute({
    schema,
    document,
    variableValues: variables,
    fieldResolver: resolve,
    contextValue: { isDenied },
    rootValue: {},
  })

/** Whether an answer is another one, but for objects that are null as a whole. */
function isWithin(answer: unknown, other: unknown): boolean {
  if (answer === null) return true
  if (typeof answer !== 'object') return answer === other
  if (typeof other !== 'object' || other === null) return false
  const [mine, theirs] = [Object.keys(answer ?? {}), Object.keys(other)]
  return (
    mine.join() === theirs.join() &&
    mine.every((key) => isWithin((answer as Record<string, unknown>)[key], (other as Record<string, unknown>)[key]))
  )
}

const seen = { filtered: 0, empty: 0, equal: 0, denied: 0 }

it('[P6] of any operation, what is denied is not executed, and what is allowed is', async () => {
  await fc.assert(
    fc.asyncProperty(someOperation, someRules, somePrincipal, fc.boolean(), async (text, rules, principal, on) => {
      const document = parse(text)
      const isDenied = (coordinate: string) => denied(rules, principal, coordinate)
      const wanted = leaves(document, isDenied)
      const authorization = createAuthorize({ schema, rules })({
        hash: hashOf(text),
        document,
        operationName: null,
        principal,
      })
      if (authorization === null) {
        expect(wanted.denied).toBe(0)
        return
      }
      const { allowed } = authorization
      if (allowed) {
        expect(validate(schema, allowed.document).map(String)).toEqual([])
        const left = leaves(allowed.document, isDenied)
        expect(left.denied).toBe(0)
        expect(left.allowed).toEqual(wanted.allowed)
        expect(allowed.source).toBe(print(allowed.document))
        seen.filtered++
      } else {
        expect([...wanted.allowed]).toEqual([])
        seen.empty++
      }

      // The answer is the one that a subgraph gives that is asked for everything and refuses the same.
      const variables = { on, n: 1 }
      const answer = await authorization.answer(variables, async (operation, values) =>
        run(operation.document, values, () => false),
      )
      const reference = await run(document, variables, isDenied)
      expect(answer.errors?.filter(({ extensions }) => extensions['code'] === undefined)).toEqual([])
      expect(isWithin(answer.data, reference.data)).toBe(true)
      const isSame = JSON.stringify(answer.data) === JSON.stringify(reference.data)
      if (isSame) seen.equal++
      else expect(answer.errors).not.toEqual([])
      seen.denied += answer.errors?.length ?? 0
    }),
    { numRuns: 1500 },
  )
  // The generator reaches what this is about.
  expect(seen.filtered).toBeGreaterThan(300)
  expect(seen.empty).toBeGreaterThan(20)
  expect(seen.equal).toBeGreaterThan(200)
  expect(seen.denied).toBeGreaterThan(500)
})
