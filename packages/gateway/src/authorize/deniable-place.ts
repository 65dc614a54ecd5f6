import {
  type Caller,
  createRefusal,
  createSubjectBinders,
  type BindSubjects,
  type Graph,
  type PolicyDecisions,
  type Refusal,
} from '@behalf/identity'
import {
  type FieldNode,
  getArgumentValues,
  getNamedType,
  type GraphQLCompositeType,
  type GraphQLError,
  type GraphQLField,
  type GraphQLNamedType,
  type GraphQLSchema,
  isUnionType,
} from 'graphql'
import type { RequirementOf } from './requirement.ts'

/**
 * A place in an operation about which only a request can decide: a field, by its arguments as they are written there,
 * or a type. It is decided once, wherever a fragment brings it and however many objects it is asked of.
 */
export interface DeniablePlace {
  readonly at: FieldNode | GraphQLNamedType
  /** @param variables - coerced. */
  decide(
    caller: Caller,
    variables: Readonly<Record<string, unknown>>,
    policies: PolicyDecisions,
  ): Promise<Refusal | null>
}

/** Null where nothing depends on the request. */
export interface DeniablePlaces {
  ofField(node: FieldNode, parent: GraphQLCompositeType): DeniablePlace | null
  ofType(type: GraphQLNamedType): DeniablePlace | null
}

type Field = GraphQLField<unknown, unknown>

/** Finds what of an operation `@policy` and `@subject` are about. */
export function createDeniablePlaces(
  schema: GraphQLSchema,
  requirementOf: RequirementOf,
  subjects: Graph['subjects'],
): DeniablePlaces {
  const binderOf = createSubjectBinders(schema, (coordinate) => subjects[coordinate] ?? [])
  const binders = new Map<string, BindSubjects | null>()
  /** Composition says of every argument what its interfaces say of it, too. */
  function bindOf(coordinate: string, { args }: Field): BindSubjects | null {
    const known = binders.get(coordinate)
    if (known !== undefined) return known
    const inputs = Object.fromEntries(args.map((argument) => [argument.name, argument]))
    const bind = binderOf([{ coordinateOf: (argument) => `${coordinate}(${argument}:)`, inputs }])
    binders.set(coordinate, bind)
    return bind
  }

  return {
    ofType(type) {
      const { policies } = requirementOf(type.name)
      if (policies.length === 0) return null
      return { at: type, decide: (_caller, _variables, decisions) => decisions.decide(policies, type.name, {}) }
    },

    ofField(node, parent) {
      const field = isUnionType(parent) ? undefined : parent.getFields()[node.name.value]
      if (!field) return null
      const coordinate = `${parent.name}.${field.name}`
      const bind = bindOf(coordinate, field)
      const { policies } = requirementOf(coordinate)
      const returned = getNamedType(field.type).name
      const ofReturned = requirementOf(returned).policies
      if (!bind && policies.length === 0 && ofReturned.length === 0) return null
      return {
        at: node,
        async decide(caller, variables, decisions) {
          const bound = boundArguments(field, node, variables, bind, caller)
          if ('refusal' in bound) return bound.refusal
          return (
            (await decisions.decide(policies, coordinate, bound.values)) ??
            (await decisions.decide(ofReturned, returned, {}))
          )
        },
      }
    },
  }
}

function boundArguments(
  field: Field,
  node: FieldNode,
  variables: Readonly<Record<string, unknown>>,
  bind: BindSubjects | null,
  caller: Caller,
): ReturnType<BindSubjects> {
  let values
  try {
    values = getArgumentValues(field, node, variables)
  } catch (error) {
    // What cannot be read cannot be allowed; the subgraph would refuse it, too (GraphQL 6.4.1).
    const { message } = error as GraphQLError
    return { refusal: createRefusal('BAD_USER_INPUT', 'CoerceArgumentValues', { message }) }
  }
  return bind ? bind(values, caller) : { values }
}
