import type { FieldRule, Principal } from '@behalf/identity'
import fc from 'fast-check'
import {
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
import { hashOf } from './fixtures.ts'
import { schema, someOperation, somePrincipal, someRules } from './operation-fixtures.ts'

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

/** Every leaf of an operation, by its way there, and how many are denied there or on the way. */
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
  _source,
  _args,
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

const decide = async (text: string, rules: Record<string, FieldRule>, principal: Principal) => {
  const document = parse(text)
  const authorize = createAuthorize({ schema, rules })
  return {
    document,
    isDenied: (coordinate: string) => denied(rules, principal, coordinate),
    authorization: await authorize({
      hash: hashOf(text),
      document,
      operationName: null,
      variables: { on: true, n: 1 },
      principal,
    }),
  }
}

it('[P6] of any operation, what is denied is not executed, and what is allowed is', async () => {
  const seen = { untouched: 0, filtered: 0, empty: 0 }
  await fc.assert(
    fc.asyncProperty(someOperation, someRules, somePrincipal, async (text, rules, principal) => {
      const { document, isDenied, authorization } = await decide(text, rules, principal)
      const rest = authorization === null ? document : (authorization.allowed?.document ?? null)
      const left = rest ? leaves(rest, isDenied) : { allowed: new Set(), denied: 0 }
      expect(left).toEqual({ allowed: leaves(document, isDenied).allowed, denied: 0 })
      expect(rest && validate(schema, rest).map(String)).toEqual(rest && [])
      seen[rest === document ? 'untouched' : rest ? 'filtered' : 'empty']++
    }),
    { numRuns: 400 },
  )
  // The generator reaches what this is about.
  expect(Math.min(...Object.values(seen))).toBeGreaterThan(0)
})

it('[P6] any answer is the one of a graph that refuses the same while it is executed, or null further up', async () => {
  const seen = { equal: 0, pruned: 0, errors: 0 }
  await fc.assert(
    fc.asyncProperty(someOperation, someRules, somePrincipal, fc.boolean(), async (text, rules, principal, on) => {
      const { document, isDenied, authorization } = await decide(text, rules, principal)
      fc.pre(authorization !== null)
      const variables = { on, n: 1 }
      const { data, errors = [] } = await authorization.answer(variables, (operation, values) =>
        run(operation.document, values, () => false),
      )
      const reference = await run(document, variables, isDenied)
      expect(isWithin(data, reference.data)).toBe(true)
      const isEqual = JSON.stringify(data) === JSON.stringify(reference.data)
      // No null without its reason, and no reason but denials.
      expect(isEqual || errors.length > 0).toBe(true)
      expect(errors.length > 0 || !reference.errors).toBe(true)
      expect(errors.map(({ extensions }) => typeof extensions['code'])).toEqual(errors.map(() => 'string'))
      seen[isEqual ? 'equal' : 'pruned']++
      seen.errors += errors.length
    }),
    { numRuns: 300 },
  )
  expect(Math.min(...Object.values(seen))).toBeGreaterThan(0)
})
