import {
  anonymousSubject,
  AppError,
  type DeclaredRule,
  type Identity,
  type OperationType,
  readRule,
} from '@behalf/identity'
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

/**
 * What `@authenticated`, `@requiresScopes` and `@agent` ask of the callers of one field: its own rules, those of the type
 * it belongs to (however an object of it was reached, `_entities` included) and those of the type it returns.
 *
 * @returns null where nothing is asked, so that such fields cost nothing.
 */
export function fieldGuard(
  schema: GraphQLSchema,
  typeName: string,
  fieldName: string,
  field: Pick<GraphQLFieldConfig<unknown, unknown>, 'astNode' | 'type'>,
): Guard | null {
  const root = rootOf(schema, typeName)
  const type = schema.getType(typeName)
  const interfaces = isObjectType(type) ? type.getInterfaces() : []
  const approvable = root === 'mutation' ? fieldName : null
  return everyGuard([
    ...(field.astNode || root === 'mutation' ? [ruleGuard(readRule(field.astNode ?? {}, root), approvable)] : []),
    ...interfaces
      .map((parent) => parent.getFields()[fieldName]?.astNode)
      .map((node) => node && ruleGuard(readRule(node, null), null)),
    type && typeGuard(type),
    typeGuard(getNamedType(field.type)),
  ])
}

/** What a type's own rules ask before any of its objects is looked up. */
export function typeGuard(type: GraphQLNamedType): Guard | null {
  const interfaces = isObjectType(type) || isInterfaceType(type) ? type.getInterfaces() : []
  const nodes = [type, ...interfaces].flatMap(({ astNode, extensionASTNodes }) => [astNode ?? {}, ...extensionASTNodes])
  return everyGuard(nodes.map((node) => ruleGuard(readRule(node, null), null)))
}

function ruleGuard({ authenticated, scopes, agent }: DeclaredRule, approvable: string | null): Guard | null {
  return everyGuard([
    authenticated || scopes.length > 0 ? requireUser : null,
    scopes.length > 0 ? requireScopes(scopes) : null,
    agent === 'DENY' ? refuseAgents : null,
    agent === 'APPROVE' ? requireApproval(approvable) : null,
  ])
}

const requireUser: Guard = ({ subject }) => {
  if (subject === anonymousSubject) throw new AppError('UNAUTHENTICATED')
}

function requireScopes(sets: DeclaredRule['scopes']): Guard {
  return (identity) => {
    if (!holdsOneOf(identity, sets)) throw new AppError('UNAUTHORIZED_FIELD_OR_TYPE')
  }
}

const refuseAgents: Guard = ({ actor }) => {
  if (actor !== null) throw new AppError('AGENT_DENIED')
}

/** @param field - the Mutation field to be approved; null where nothing can be, which refuses every agent. */
function requireApproval(field: string | null): Guard {
  return ({ actor, approval }) => {
    if (actor === null) return
    if (field === null || approval?.field !== field) throw new AppError('APPROVAL_REQUIRED')
  }
}

/** Outer lists are OR, inner lists AND (Federation, `@requiresScopes`). */
export function holdsOneOf(identity: Identity, sets: readonly (readonly string[])[]): boolean {
  return sets.some((set) => set.length > 0 && set.every((scope) => identity.scopes.includes(scope)))
}

function everyGuard(candidates: readonly (Guard | null | undefined)[]): Guard | null {
  const guards = candidates.filter((guard) => guard !== null && guard !== undefined)
  const [first, ...others] = guards
  if (first === undefined) return null
  return others.length === 0 ? first : (identity) => guards.forEach((guard) => guard(identity))
}

function rootOf(schema: GraphQLSchema, typeName: string): OperationType | null {
  if (typeName === schema.getQueryType()?.name) return 'query'
  if (typeName === schema.getMutationType()?.name) return 'mutation'
  return typeName === schema.getSubscriptionType()?.name ? 'subscription' : null
}
