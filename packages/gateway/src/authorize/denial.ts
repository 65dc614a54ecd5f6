import type { Refusal } from '@behalf/identity'
import {
  getDirectiveValues,
  GraphQLError,
  GraphQLIncludeDirective,
  GraphQLSkipDirective,
  type SelectionNode,
} from 'graphql'

/** A field that was removed from an operation, and why. */
export interface Denial extends Refusal {
  /** Response names, without the indexes of lists. */
  readonly path: readonly string[]
  /** The field, such as `Order.total`. */
  readonly coordinate: string
  /** Selections on the way whose `@skip` and `@include` say whether it was asked for. */
  readonly conditions: readonly SelectionNode[]
}

/** The denial as seen from outside of `node`. */
export const outside = (denial: Denial, node: SelectionNode): Denial =>
  isConditional(node) ? { ...denial, conditions: [node, ...denial.conditions] } : denial

export const isConditional = ({ directives = [] }: SelectionNode) => directives.length > 0

/** @param variables - coerced. */
export function wasAskedFor({ conditions }: Denial, variables: Readonly<Record<string, unknown>>): boolean {
  return conditions.every((node) => isIncluded(node, variables))
}

/** @param variables - coerced. */
export const isIncluded = (node: SelectionNode, variables: Readonly<Record<string, unknown>>): boolean =>
  getDirectiveValues(GraphQLSkipDirective, node, variables)?.['if'] !== true &&
  getDirectiveValues(GraphQLIncludeDirective, node, variables)?.['if'] !== false

/** As clients are told. */
export const denialError = (
  { code, message, details }: Pick<Denial, 'code' | 'message' | 'details'>,
  path: readonly string[],
): GraphQLError => new GraphQLError(message, { path, extensions: { code, ...details } })
