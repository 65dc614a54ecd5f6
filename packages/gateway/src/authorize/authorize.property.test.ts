import type { FieldRule, Graph, Principal } from '@behalf/identity'
import fc from 'fast-check'
import {
  type DocumentNode,
  execute,
  type FieldNode,
  type FragmentDefinitionNode,
  getArgumentValues,
  getNamedType,
  getOperationAST,
  getVariableValues,
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
import {
  policies,
  schema,
  someOperation,
  somePrincipal,
  someRules,
  someSubjects,
  someVariables,
} from './operation-fixtures.ts'

interface Request {
  readonly rules: Record<string, FieldRule>
  readonly subjects: Graph['subjects']
  readonly principal: Principal
}
type Arguments = Readonly<Record<string, unknown>>

/** What the rules say, told anew from their definition. */
function createReference({ rules, subjects, principal }: Request) {
  const { subject, scopes, actor } = principal
  const holds = (sets: FieldRule['scopes']) => sets.some((set) => set.every((each) => scopes.includes(each)))
  const passes: Readonly<Record<string, (given: Arguments) => boolean>> = {
    yes: () => true,
    late: () => true,
    odd: ({ n }) => n === 1,
    person: () => actor === null,
  }
  function deniedBy(coordinate: string, given: Arguments): boolean {
    const own = rules[coordinate]
    if (!own) return false
    const isHeld = own.scopes.length === 0 || holds(own.scopes)
    const isSignedIn = subject !== 'anonymous' || (!own.authenticated && own.scopes.length === 0)
    const isDecided =
      own.policies.length === 0 || own.policies.some((set) => set.every((name) => passes[name]?.(given) === true))
    return !isHeld || !isSignedIn || !isDecided || (actor !== null && own.agent !== 'ALLOW')
  }
  const namesOther = (coordinate: string, { of }: Arguments) =>
    (subjects[`${coordinate}(of:)`] ?? []).some(({ unless }) => {
      const mayOthers = actor === null && unless.length > 0 && holds(unless)
      return subject === 'anonymous'
        ? !(mayOthers && of !== undefined)
        : of !== undefined && of !== subject && !mayOthers
    })
  const withOwn = (coordinate: string, given: Arguments): Arguments =>
    subjects[`${coordinate}(of:)`] && given['of'] === undefined ? { ...given, of: subject } : given
  return {
    type: (name: string) => deniedBy(name, {}),
    field(parent: string, name: string, given: Arguments): boolean {
      const coordinate = `${parent}.${name}`
      const type = schema.getType(parent)
      const field = isObjectType(type) || isInterfaceType(type) ? type.getFields()[name] : undefined
      const returned = field ? (rules[getNamedType(field.type).name]?.policies ?? []) : []
      const isReturned =
        returned.length === 0 || returned.some((set) => set.every((each) => passes[each]?.({}) === true))
      return deniedBy(coordinate, withOwn(coordinate, given)) || namesOther(coordinate, given) || !isReturned
    },
  }
}
type Reference = ReturnType<typeof createReference>

const nameOf = ({ alias, name, arguments: given = [], directives = [] }: FieldNode) =>
  [alias?.value, name.value, ...[...given, ...directives].map(print)].join(' ')

/** Every leaf of an operation, by its way there, and how many are denied there or on the way. */
function leaves(
  document: DocumentNode,
  reference: Reference,
  raw: Arguments,
): { allowed: Set<string>; denied: number } {
  const fragments = new Map<string, FragmentDefinitionNode>()
  for (const node of document.definitions)
    if (node.kind === Kind.FRAGMENT_DEFINITION) fragments.set(node.name.value, node)
  const operation = getOperationAST(document)
  const variables = getVariableValues(schema, operation?.variableDefinitions ?? [], raw).coerced ?? {}
  const allowed = new Set<string>()
  let count = 0
  function walk({ selections: all }: SelectionSetNode, parent: string, way: string, isOff: boolean): void {
    for (const node of all) {
      const when = (node.directives ?? []).map(print).join(' ')
      if (node.kind === Kind.FIELD) {
        if (node.name.value === '__typename') continue
        const type = schema.getType(parent)
        const field = isObjectType(type) || isInterfaceType(type) ? type.getFields()[node.name.value] : undefined
        if (!field) continue
        const here = `${way} ${parent}.${nameOf(node)}`
        const isGone = isOff || reference.field(parent, field.name, getArgumentValues(field, node, variables))
        if (node.selectionSet) walk(node.selectionSet, getNamedType(field.type).name, here, isGone)
        else if (isGone) count++
        else allowed.add(here)
      } else {
        const fragment = node.kind === Kind.INLINE_FRAGMENT ? node : fragments.get(node.name.value)
        if (!fragment) continue
        const type = fragment.typeCondition?.name.value ?? parent
        walk(fragment.selectionSet, type, `${way} on ${type} ${when}`, isOff || reference.type(type))
      }
    }
  }
  if (operation) walk(operation.selectionSet, 'Query', '', reference.type('Query'))
  return { allowed, denied: count }
}

const resolve: GraphQLFieldResolver<unknown, { reference: Reference | null }> = (
  _source,
  args,
  { reference },
  info,
) => {
  const { parentType, fieldName, returnType } = info
  const type = getNamedType(returnType)
  if (reference?.field(parentType.name, fieldName, args) || reference?.type(parentType.name))
    throw new GraphQLError('denied')
  const value = isCompositeType(type)
    ? { __typename: isAbstractType(type) ? (fieldName === 'next' ? 'A' : 'B') : type.name }
    : 7
  return /\[/.test(String(returnType)) ? [value, value] : value
}
const run = async (document: DocumentNode, variables: Record<string, unknown>, reference: Reference | null) =>
  execute({
    schema,
    document,
    variableValues: variables,
    fieldResolver: resolve,
    contextValue: { reference },
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

const someRequest = fc.record({ rules: someRules, subjects: someSubjects, principal: somePrincipal })
/** One authorizer for all of a run's variables: what one request is denied must not be left to another. */
const decider = (text: string, { rules, subjects, principal }: Request) => {
  const authorize = createAuthorize({ schema, rules, subjects, policies })
  return async (variables: Record<string, unknown>) => {
    const document = parse(text)
    return {
      document,
      authorization: await authorize({ hash: hashOf(text), document, operationName: null, variables, principal }),
    }
  }
}

/** Every run makes an authorizer of its own. */
const timeout = 120_000

it(
  '[P6] of any operation, what is denied is not executed, and what is allowed is',
  async () => {
    const seen = { untouched: 0, filtered: 0, empty: 0, byVariables: 0 }
    await fc.assert(
      fc.asyncProperty(
        someOperation,
        someRequest,
        fc.array(someVariables, { minLength: 1, maxLength: 3 }),
        async (text, request, all) => {
          const reference = createReference(request)
          const decide = decider(text, request)
          const texts = new Set<string>()
          for (const variables of all) {
            const { document, authorization } = await decide(variables)
            const rest = authorization === null ? document : (authorization.allowed?.document ?? null)
            const left = rest ? leaves(rest, reference, variables) : { allowed: new Set(), denied: 0 }
            expect(left).toEqual({ allowed: leaves(document, reference, variables).allowed, denied: 0 })
            expect(rest && validate(schema, rest).map(String)).toEqual(rest && [])
            seen[rest === document ? 'untouched' : rest ? 'filtered' : 'empty']++
            texts.add(rest ? print(rest) : '')
          }
          if (texts.size > 1) seen.byVariables++
        },
      ),
      { numRuns: 250 },
    )
    // The generator reaches what this is about.
    expect(Math.min(...Object.values(seen))).toBeGreaterThan(0)
  },
  timeout,
)

it(
  '[P6] any answer is the one of a graph that refuses the same while it is executed, or null further up',
  async () => {
    const seen = { equal: 0, pruned: 0, errors: 0 }
    await fc.assert(
      fc.asyncProperty(someOperation, someRequest, someVariables, async (text, request, variables) => {
        const { document, authorization } = await decider(text, request)(variables)
        fc.pre(authorization !== null)
        const { data, errors = [] } = await authorization.answer(variables, (operation, values) =>
          run(operation.document, values, null),
        )
        const reference = await run(document, variables, createReference(request))
        expect(isWithin(data, reference.data)).toBe(true)
        const isEqual = JSON.stringify(data) === JSON.stringify(reference.data)
        // No null without its reason, and no reason but denials.
        expect(isEqual || errors.length > 0).toBe(true)
        expect(errors.length > 0 || !reference.errors).toBe(true)
        expect(errors.map(({ extensions }) => typeof extensions['code'])).toEqual(errors.map(() => 'string'))
        seen[isEqual ? 'equal' : 'pruned']++
        seen.errors += errors.length
      }),
      { numRuns: 250 },
    )
    expect(Math.min(...Object.values(seen))).toBeGreaterThan(0)
  },
  timeout,
)
