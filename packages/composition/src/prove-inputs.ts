import { readSubject } from '@behalf/identity'
import { Kind, getNamedType, isInputObjectType, isObjectType } from 'graphql'
import type { GraphQLInputType, GraphQLField, GraphQLSchema, ValueNode } from 'graphql'
import type { Declarations } from './declarations.ts'
import { directVariablesIn, inputsOf, variablesIn, type FieldUse } from './field-uses.ts'
import type { Ownerships } from './merge-ownership.ts'
import type { Place, Problems } from './problem.ts'
import { possibleObjects } from './prove-ownership.ts'
import type { Binding } from './tool-directives.ts'

export interface InputProof {
  readonly api: GraphQLSchema
  readonly declarations: Declarations
  readonly ownerships: Ownerships
  readonly namesSubject: (name: string) => boolean
}

type Mark =
  | { readonly kind: 'subject'; readonly claim: string }
  | { readonly kind: 'notSubject' }
  | { readonly kind: 'unsaid' }

/**
 * Proves that nothing a model fills in chooses whose rows or whose authority are used: what `@subject` marks is
 * bound to the caller, and no variable of the model's flows into an argument that could choose a principal,
 * by the type that its field returns or by its name.
 */
export function proveInputs(
  proof: InputProof,
  uses: readonly FieldUse[],
  bindings: readonly Binding[],
  place: Place,
  problems: Problems,
): void {
  const bound = new Map(bindings.map(({ variable, claim }) => [variable, claim]))
  for (const input of uses.flatMap((use) => inputsOf(proof.api, use))) {
    const mark = readMark(proof.declarations, input.coordinates, input.inherited)
    const at = input.value.loc ? input.value : place
    const coordinate = input.coordinates[0] ?? input.name
    if (mark.kind === 'subject') {
      if (!isBound(input.value, mark.claim, bound)) {
        problems.add(
          'SUBJECT_UNBOUND',
          at,
          `${coordinate} is @subject(claim: "${mark.claim}") and is not bound to it here.`,
        )
      }
      continue
    }
    const direct = directVariablesIn(input.value).filter((each) => !bound.has(each))
    const variable = variablesIn(input.value).find((each) => !bound.has(each))
    if (variable === undefined) continue
    if (mark.kind === 'unsaid') {
      const principal = input.argumentOf && leadsToPrincipal(proof, input.argumentOf.field)
      const telling = [input.name, ...direct, getNamedType(input.type).name].find(proof.namesSubject)
      if (principal) {
        problems.add(
          'PRINCIPAL_CHOSEN',
          at,
          `$${variable} chooses ${coordinate}, whose field returns ${principal}: it could be anybody's.`,
        )
      } else if (telling !== undefined) {
        problems.add(
          'SUBJECT_BY_NAME',
          at,
          `A model fills ${coordinate} with $${variable}; "${telling}" says that it names somebody.`,
        )
      }
    }
    for (const whole of direct) proveInside(proof, input.type, whole, at, problems)
  }
}

/** Whether it is the caller and nobody else, by itself or in a list. Null is refused when it is executed. */
function isBound(value: ValueNode, claim: string, bound: ReadonlyMap<string, string>): boolean {
  if (value.kind === Kind.VARIABLE) return bound.get(value.name.value) === claim
  return (
    value.kind === Kind.LIST && value.values.length > 0 && value.values.every((item) => isBound(item, claim, bound))
  )
}

/** The fields of an input object that a model fills as a whole. */
function proveInside(proof: InputProof, type: GraphQLInputType, variable: string, at: Place, problems: Problems): void {
  const seen = new Set<string>()
  const descend = (inner: GraphQLInputType): void => {
    const named = getNamedType(inner)
    if (!isInputObjectType(named) || seen.has(named.name)) return
    seen.add(named.name)
    for (const field of Object.values(named.getFields())) {
      const coordinate = `${named.name}.${field.name}`
      const mark = readMark(proof.declarations, [coordinate])
      if (mark.kind === 'subject') {
        problems.add('SUBJECT_UNBOUND', at, `$${variable} brings ${coordinate}, which is @subject, from the model.`)
      }
      const telling = [field.name, getNamedType(field.type).name].find(proof.namesSubject)
      if (mark.kind === 'unsaid' && telling !== undefined) {
        problems.add(
          'SUBJECT_BY_NAME',
          at,
          `$${variable} brings ${coordinate} from the model; "${telling}" says that it names somebody.`,
        )
      }
      descend(field.type)
    }
  }
  descend(type)
}

/**
 * The strictest of what all subgraphs say: `@subject`, also where an interface says it, then nothing, then
 * `@notSubject`. An object that an `@interfaceObject` gives a field declares nothing of it itself.
 */
function readMark(declarations: Declarations, coordinates: readonly string[], inherited: readonly string[] = []): Mark {
  const own = coordinates.flatMap((coordinate) => declarations.inputs.get(coordinate) ?? [])
  const ofInterfaces = inherited.flatMap((coordinate) => declarations.inputs.get(coordinate) ?? [])
  for (const { node } of [...own, ...ofInterfaces]) {
    const subject = readSubject(node)
    if (subject) return { kind: 'subject', claim: subject.claim }
  }
  const nodes = own.length > 0 ? own : ofInterfaces
  const all = nodes.every(({ node }) => node.directives?.some(({ name }) => name.value === 'notSubject'))
  return { kind: all && nodes.length > 0 ? 'notSubject' : 'unsaid' }
}

/**
 * The principal type (`User`) that a field's value leads to, through lists, interfaces, unions and objects that
 * nobody owns by themselves; null where there is none. An object with an owner of its own is checked against the
 * caller when it is resolved, and ends the search.
 */
function leadsToPrincipal(
  { api, ownerships }: Pick<InputProof, 'api' | 'ownerships'>,
  field: GraphQLField<unknown, unknown>,
): string | null {
  const seen = new Set<string>()
  const search = (from: GraphQLField<unknown, unknown>): string | null => {
    for (const object of possibleObjects(api, from)) {
      if (seen.has(object.name)) continue
      seen.add(object.name)
      const ownership = ownerships.of.get(object.name)
      if (ownership?.principal) return object.name
      if (ownership?.kind === 'owner' || !isObjectType(object)) continue
      for (const inner of Object.values(object.getFields())) {
        const found = search(inner)
        if (found !== null) return found
      }
    }
    return null
  }
  return search(field)
}
