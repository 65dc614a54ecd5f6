import { AppError, type ApprovedHash, type Graph } from '@behalf/identity'
import {
  buildASTSchema,
  type FieldNode,
  getArgumentValues,
  getVariableValues,
  Kind,
  parse,
  type SelectionSetNode,
} from 'graphql'
import { isIncluded } from '../authorize/denial.ts'

/** More would not fit into a context token. */
const maxDecided = 4
const idForm = /^apr_[\w-]{1,64}$/
const hashForm = /^[\w-]{43}$/

/**
 * What a request to a subgraph approves, as its `@approves` fields will read it: with defaults and variables filled in,
 * and without what `@skip` and `@include` take out. What is approved and rejected in one request is not approved.
 */
export type ReadApproved = (
  request: { readonly query: string; readonly variables: Readonly<Record<string, unknown>> },
  subgraph: string,
) => readonly ApprovedHash[]

export function createReadApproved({ supergraph, rules }: Pick<Graph, 'supergraph' | 'rules'>): ReadApproved {
  const schema = buildASTSchema(parse(supergraph), { assumeValid: true })
  const fields = schema.getMutationType()?.getFields() ?? {}

  return ({ query, variables: raw }, subgraph) => {
    const { definitions } = parse(query, { noLocation: true })
    const fragments = new Map(
      definitions.flatMap((each) => (each.kind === Kind.FRAGMENT_DEFINITION ? [[each.name.value, each] as const] : [])),
    )
    const operation = definitions.find((each) => each.kind === Kind.OPERATION_DEFINITION)
    if (operation === undefined) return []
    const { coerced: variables } = getVariableValues(schema, operation.variableDefinitions ?? [], raw)
    // The subgraph will not execute it.
    if (variables === undefined) return []

    function fieldsOf({ selections }: SelectionSetNode): FieldNode[] {
      return selections.flatMap((selection) => {
        if (!isIncluded(selection, variables ?? {})) return []
        if (selection.kind === Kind.FIELD) return [selection]
        const fragment = selection.kind === Kind.INLINE_FRAGMENT ? selection : fragments.get(selection.name.value)
        return fragment ? fieldsOf(fragment.selectionSet) : []
      })
    }
    const decided = fieldsOf(operation.selectionSet).flatMap((node) => {
      const field = fields[node.name.value]
      if (!field || rules[`Mutation.${field.name}`]?.approves !== subgraph) return []
      const { id, argumentsHash, decision } = getArgumentValues(field, node, variables)
      return idForm.test(String(id)) && hashForm.test(String(argumentsHash))
        ? [{ id: String(id), argumentsHash: String(argumentsHash), isApproved: decision === 'APPROVE' }]
        : []
    })
    if (decided.length > maxDecided)
      throw new AppError('BAD_REQUEST', `Decide at most ${maxDecided} approvals in one request.`)
    const rejected = new Set(decided.flatMap(({ id, isApproved }) => (isApproved ? [] : [id])))
    return decided.flatMap(({ id, argumentsHash }) => (rejected.has(id) ? [] : [{ id, argumentsHash }]))
  }
}
