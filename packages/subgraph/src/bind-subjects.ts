import { AppError, type Identity, readSubject, type ScopeSets } from '@behalf/identity'
import {
  getNamedType,
  getNullableType,
  type GraphQLArgumentConfig,
  type GraphQLInputObjectType,
  type GraphQLInputType,
  type GraphQLSchema,
  isInputObjectType,
  isListType,
} from 'graphql'
import { holdsOneOf } from './enforce-rules.ts'
import { readClaim } from './read-claim.ts'

type Values = Readonly<Record<string, unknown>>
/** The value a resolver is to see. */
type Bind = (value: unknown, identity: Identity) => unknown
type BindAll = (values: Values, identity: Identity) => Values
/** What arguments and input fields have in common. */
type Input = Pick<GraphQLArgumentConfig, 'astNode' | 'type'>
type Inputs = Readonly<Record<string, Input>>

/**
 * Makes a function that enforces `@subject` on arguments and input fields, nested ones and lists included: what is
 * absent is filled from the caller, and any other value than the caller's own is refused, unless a human holds one of
 * `unless`. It answers null where no input names a subject.
 */
export function createSubjectBinders(schema: GraphQLSchema): (inputs: readonly Inputs[]) => BindAll | null {
  const naming = inputsNamingSubjects(schema)
  const binders = new Map<GraphQLInputObjectType, BindAll | null>()
  for (const input of naming) binders.set(input, bindInputs([input.getFields()]))

  /** Looks the type's binder up when there is a value, because types may contain each other. */
  function bindType(type: GraphQLInputType): Bind | null {
    const named = getNamedType(type)
    if (!isInputObjectType(named) || !naming.has(named)) return null
    return (value, identity) => {
      const bindAll = binders.get(named)
      return bindAll ? bindDeep(value, bindAll, identity) : value
    }
  }

  /** @param all the same inputs as declared in several places, each of which binds */
  function bindInputs(all: readonly Inputs[]): BindAll | null {
    const binds = all.flatMap((inputs) =>
      Object.entries(inputs).flatMap(([name, input]): [string, Bind][] => {
        const bind = subjectBind(name, input) ?? bindType(input.type)
        return bind ? [[name, bind]] : []
      }),
    )
    if (binds.length === 0) return null
    return (values, identity) => {
      const bound: Record<string, unknown> = { ...values }
      for (const [name, bind] of binds) {
        const value = bind(bound[name], identity)
        if (value !== undefined) bound[name] = value
      }
      return bound
    }
  }
  return bindInputs
}

/** Input types with a `@subject` in them, however deep: types may contain each other. */
function inputsNamingSubjects(schema: GraphQLSchema): ReadonlySet<GraphQLInputObjectType> {
  const inputs = Object.values(schema.getTypeMap()).filter(isInputObjectType)
  const naming = new Set<unknown>()
  let before: number
  do {
    before = naming.size
    for (const input of inputs) {
      const fields = Object.values(input.getFields())
      if (fields.some(({ astNode, type }) => (astNode && readSubject(astNode)) || naming.has(getNamedType(type)))) {
        naming.add(input)
      }
    }
  } while (naming.size > before)
  return new Set(inputs.filter((input) => naming.has(input)))
}

function subjectBind(name: string, { astNode, type }: Input): Bind | null {
  const subject = astNode ? readSubject(astNode) : null
  if (!subject) return null
  const claimOf = readClaim('@subject', subject.claim)
  return (value, identity) => {
    const own = claimOf(identity)
    if (value === undefined && own !== null) return asValueOf(type, own)
    if (own !== null && namesOnly(value, own)) return value
    if (value !== undefined && mayNameOthers(identity, subject.unless)) return value
    throw new AppError('UNAUTHORIZED_FIELD_OR_TYPE', `"${name}" can only name the caller.`)
  }
}

function asValueOf(type: GraphQLInputType, own: string): unknown {
  const nullable = getNullableType(type)
  return isListType(nullable) ? [asValueOf(nullable.ofType, own)] : own
}

/** An agent never may, whatever it holds. */
const mayNameOthers = (identity: Identity, unless: ScopeSets) => identity.actor === null && holdsOneOf(identity, unless)

/** An empty list names nobody, which a resolver could take for everybody. */
function namesOnly(value: unknown, own: string): boolean {
  return Array.isArray(value) ? value.length > 0 && value.every((item) => namesOnly(item, own)) : value === own
}

function bindDeep(value: unknown, bindAll: BindAll, identity: Identity): unknown {
  if (Array.isArray(value)) return value.map((item) => bindDeep(item, bindAll, identity))
  return typeof value === 'object' && value !== null ? bindAll(value as Values, identity) : value
}
