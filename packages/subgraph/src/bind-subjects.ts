import { AppError, type Identity, readSubject, type ScopeSets } from '@behalf/identity'
import {
  getNamedType,
  getNullableType,
  type GraphQLArgumentConfig,
  type GraphQLInputType,
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

/**
 * Enforces `@subject` on arguments and input fields, nested ones and lists included: what is absent is filled from
 * the caller, and any other value than the caller's own is refused, unless a human holds one of `unless`.
 *
 * @returns null where no input names a subject.
 */
export function createSubjectBinder(inputs: Readonly<Record<string, Input>>): BindAll | null {
  return bindInputs(inputs, new Map())
}

/** @param open - binders of the input types around this one, for types that contain themselves. */
function bindInputs(
  inputs: Readonly<Record<string, Input>>,
  open: ReadonlyMap<string, () => BindAll | null>,
): BindAll | null {
  const binds = Object.entries(inputs).flatMap(([name, input]): [string, Bind][] => {
    const bind = subjectBind(name, input) ?? nestedBind(input.type, open)
    return bind ? [[name, bind]] : []
  })
  if (binds.length === 0) return null
  return (values, identity) => {
    const bound: Record<string, unknown> = { ...values }
    for (const [name, bind] of binds) {
      const value = bind(values[name], identity)
      if (value !== undefined) bound[name] = value
    }
    return bound
  }
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

function nestedBind(type: GraphQLInputType, open: ReadonlyMap<string, () => BindAll | null>): Bind | null {
  const named = getNamedType(type)
  if (!isInputObjectType(named)) return null
  const around = open.get(named.name)
  if (around) return (value, identity) => bindDeep(value, around() ?? ((values) => values), identity)
  let bindAll: BindAll | null = null
  bindAll = bindInputs(named.getFields(), new Map([...open, [named.name, () => bindAll]]))
  return bindAll && ((value, identity) => bindDeep(value, bindAll, identity))
}

function bindDeep(value: unknown, bindAll: BindAll, identity: Identity): unknown {
  if (Array.isArray(value)) return value.map((item) => bindDeep(item, bindAll, identity))
  return typeof value === 'object' && value !== null ? bindAll(value as Values, identity) : value
}
