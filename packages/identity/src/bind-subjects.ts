import {
  getNamedType,
  getNullableType,
  type GraphQLArgument,
  type GraphQLInputObjectType,
  type GraphQLInputType,
  type GraphQLSchema,
  type InputValueDefinitionNode,
  isInputObjectType,
  isListType,
} from 'graphql'
import type { ScopeSets } from './directives.ts'
import type { Caller } from './principal.ts'
import { readClaim } from './read-claim.ts'
import { createRefusal, type Refusal } from './refusal.ts'
import { holdsOneOf, setsText } from './scope-sets.ts'

/** Who may be named in an argument or input field (`@subject`). */
export interface SubjectRule {
  readonly claim: string
  /** Scope sets with which a human may name others. */
  readonly unless: ScopeSets
}

type Values = Readonly<Record<string, unknown>>

/** Coerced arguments as a resolver is to see them, or why it is not to be asked. */
export type BoundArguments = { readonly values: Values } | { readonly refusal: Refusal }
export type BindSubjects = (values: Values, caller: Caller) => BoundArguments

/** What arguments and input fields have in common. */
export type SubjectInput = Pick<GraphQLArgument, 'type'> & {
  readonly astNode?: InputValueDefinitionNode | null | undefined
}

/** The arguments of a field as they are declared in one place. */
export interface SubjectInputs {
  /** Schema coordinate of one of them, such as `Query.user(id:)`. */
  readonly coordinateOf: (argument: string) => string
  readonly inputs: Readonly<Record<string, SubjectInput>>
}

/** The value a resolver is to see. @throws {Refused} */
type Bind = (value: unknown, caller: Caller) => unknown
type BindAll = (values: Values, caller: Caller) => Values

class Refused extends Error {
  readonly refusal: Refusal

  constructor(refusal: Refusal) {
    super(refusal.message)
    this.refusal = refusal
  }
}

/**
 * Makes a function that enforces `@subject` on coerced arguments, nested input fields and lists included: what is
 * absent is filled from the caller, and any other value than the caller's own is refused, unless a human holds one of
 * `unless`. It answers null where no input names a subject.
 *
 * @param rulesOf - the rules of an argument or input field, all of which hold.
 * @throws {Error} where a rule names a claim that there is not.
 */
export function createSubjectBinders(
  schema: GraphQLSchema,
  rulesOf: (coordinate: string, input: SubjectInput) => readonly SubjectRule[],
): (declared: readonly SubjectInputs[]) => BindSubjects | null {
  const naming = inputsNamingSubjects(schema, rulesOf)
  const binders = new Map<GraphQLInputObjectType, BindAll | null>()
  for (const type of naming) binders.set(type, bindInputs([fieldsOf(type)]))

  /** Looks the type's binder up when there is a value, because types may contain each other. */
  function bindType(type: GraphQLInputType): Bind | null {
    const named = getNamedType(type)
    if (!isInputObjectType(named) || !naming.has(named)) return null
    return (value, caller) => {
      const bindAll = binders.get(named)
      return bindAll ? bindDeep(value, bindAll, caller) : value
    }
  }

  /** @param all the same inputs as declared in several places, each of which binds */
  function bindInputs(all: readonly SubjectInputs[]): BindAll | null {
    const binds = all.flatMap(({ coordinateOf, inputs }) =>
      Object.entries(inputs).flatMap(([name, input]): [string, Bind][] => {
        const subjects = rulesOf(coordinateOf(name), input).map((rule) => subjectBind(name, input, rule))
        const bind = subjects.length > 0 ? null : bindType(input.type)
        return [...subjects, ...(bind ? [bind] : [])].map((each) => [name, each])
      }),
    )
    if (binds.length === 0) return null
    return (values, caller) => {
      const bound: Record<string, unknown> = { ...values }
      for (const [name, bind] of binds) {
        const value = bind(bound[name], caller)
        if (value !== undefined) bound[name] = value
      }
      return bound
    }
  }

  return (declared) => {
    const bindAll = bindInputs(declared)
    return (
      bindAll &&
      ((values, caller) => {
        try {
          return { values: bindAll(values, caller) }
        } catch (error) {
          if (error instanceof Refused) return { refusal: error.refusal }
          throw error
        }
      })
    )
  }
}

const fieldsOf = (type: GraphQLInputObjectType): SubjectInputs => ({
  coordinateOf: (field) => `${type.name}.${field}`,
  inputs: type.getFields(),
})

/** Input types with a `@subject` in them, however deep: types may contain each other. */
function inputsNamingSubjects(
  schema: GraphQLSchema,
  rulesOf: (coordinate: string, input: SubjectInput) => readonly SubjectRule[],
): ReadonlySet<GraphQLInputObjectType> {
  const types = Object.values(schema.getTypeMap()).filter(isInputObjectType)
  const naming = new Set<unknown>()
  let before: number
  do {
    before = naming.size
    for (const type of types) {
      const namesSubject = Object.entries(type.getFields()).some(
        ([name, field]) => rulesOf(`${type.name}.${name}`, field).length > 0 || naming.has(getNamedType(field.type)),
      )
      if (namesSubject) naming.add(type)
    }
  } while (naming.size > before)
  return new Set(types.filter((type) => naming.has(type)))
}

function subjectBind(name: string, { type }: SubjectInput, { claim, unless }: SubjectRule): Bind {
  const claimOf = readClaim('@subject', claim)
  const rule = `@subject(claim: "${claim}"${unless.length > 0 ? `, unless: ${setsText(unless)}` : ''})`
  const refusal = createRefusal('UNAUTHORIZED_FIELD_OR_TYPE', rule, { message: `"${name}" can only name the caller.` })
  return (value, caller) => {
    const own = claimOf(caller)
    if (value === undefined && own !== null) return asValueOf(type, own)
    if (own !== null && namesOnly(value, own)) return value
    if (value !== undefined && mayNameOthers(caller, unless)) return value
    throw new Refused(refusal)
  }
}

function asValueOf(type: GraphQLInputType, own: string): unknown {
  const nullable = getNullableType(type)
  return isListType(nullable) ? [asValueOf(nullable.ofType, own)] : own
}

/** An agent never may, whatever it holds. */
const mayNameOthers = (caller: Caller, unless: ScopeSets) => caller.actor === null && holdsOneOf(caller, unless)

/** An empty list names nobody, which a resolver could take for everybody. */
function namesOnly(value: unknown, own: string): boolean {
  return Array.isArray(value) ? value.length > 0 && value.every((item) => namesOnly(item, own)) : value === own
}

function bindDeep(value: unknown, bindAll: BindAll, caller: Caller): unknown {
  if (Array.isArray(value)) return value.map((item) => bindDeep(item, bindAll, caller))
  return typeof value === 'object' && value !== null ? bindAll(value as Values, caller) : value
}
