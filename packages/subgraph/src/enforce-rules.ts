import { type DeclaredRule, type Identity, readRule, RefusalError, refusalOf } from '@behalf/identity'
import {
  getNamedType,
  type GraphQLFieldConfig,
  type GraphQLNamedType,
  type GraphQLSchema,
  isInterfaceType,
  isObjectType,
} from 'graphql'

/** Lets a caller pass or throws an {@link AppError}. */
export type Guard = (identity: Identity) => void

/** A rule as it is declared somewhere, for whatever it is asked of. */
export interface DeclaredAt {
  /** Such as `Query.order`; `Order` for a rule that a type carries. */
  readonly coordinate: string
  readonly rule: DeclaredRule
  /** The Mutation field that an agent can be approved for; null where nothing can be, which refuses every agent. */
  readonly approvable: string | null
}

/** What is asked of the callers of one field. */
export interface FieldRules {
  /** Its own, and what interfaces say of it. */
  readonly ofField: readonly DeclaredAt[]
  /** Of the type it belongs to (however an object of it was reached, `_entities` included) and of the type it returns. */
  readonly ofTypes: readonly DeclaredAt[]
}

export function fieldRules(
  schema: GraphQLSchema,
  typeName: string,
  fieldName: string,
  field: Pick<GraphQLFieldConfig<unknown, unknown>, 'astNode' | 'type'>,
): FieldRules {
  const isMutation = typeName === schema.getMutationType()?.name
  const type = schema.getType(typeName)
  const interfaces = isObjectType(type) ? type.getInterfaces() : []
  const own: DeclaredAt = {
    coordinate: `${typeName}.${fieldName}`,
    rule: readRule(field.astNode ?? {}, isMutation ? 'mutation' : null),
    approvable: isMutation ? fieldName : null,
  }
  const inherited = interfaces.flatMap((parent): DeclaredAt[] => {
    const node = parent.getFields()[fieldName]?.astNode
    return node ? [{ coordinate: `${parent.name}.${fieldName}`, rule: readRule(node, null), approvable: null }] : []
  })
  return {
    ofField: [own, ...inherited],
    ofTypes: [...(type ? typeRules(type) : []), ...typeRules(getNamedType(field.type))],
  }
}

/** What a type asks before any of its objects is looked up, in one declaration or several. */
export function typeRules(type: GraphQLNamedType): readonly DeclaredAt[] {
  const interfaces = isObjectType(type) || isInterfaceType(type) ? type.getInterfaces() : []
  return [type, ...interfaces].flatMap(({ name, astNode, extensionASTNodes }) =>
    [astNode ?? {}, ...extensionASTNodes].map((node) => ({
      coordinate: name,
      rule: readRule(node, null),
      approvable: null,
    })),
  )
}

/**
 * What `@authenticated`, `@requiresScopes` and `@agent` ask.
 *
 * @returns null where nothing is asked, so that such fields cost nothing.
 */
export function guardOf(rules: readonly DeclaredAt[]): Guard | null {
  const asking = rules.filter(
    ({ rule: { authenticated, scopes, agent } }) => authenticated || scopes.length > 0 || agent !== 'ALLOW',
  )
  if (asking.length === 0) return null
  return (identity) => {
    for (const { coordinate, rule, approvable } of asking) {
      const isApproved = identity.approval?.field === approvable
      const refusal = refusalOf(rule, identity, isApproved)
      if (refusal) throw new RefusalError(refusal, coordinate)
    }
  }
}
