import type { GraphQLReferenceResolver } from '@apollo/subgraph'
import {
  type BoundArguments,
  createSubjectBinders,
  type Identity,
  type Policies,
  readSubject,
  RefusalError,
  type SubjectInputs,
} from '@behalf/identity'
import { MapperKind, mapSchema } from '@graphql-tools/utils'
import {
  defaultFieldResolver,
  type GraphQLFieldConfig,
  type GraphQLFieldResolver,
  GraphQLObjectType,
  type GraphQLSchema,
  isObjectType,
} from 'graphql'
import { ownerCheck } from './check-owners.ts'
import { forgetLoaded } from './define-loader.ts'
import { createPolicyGuards, type PolicyGuard } from './enforce-policies.ts'
import { fieldRules, type Guard, guardOf, typeRules } from './enforce-rules.ts'
import { type RequestContext, transaction } from './request-context.ts'

type Context = RequestContext<unknown>
type FieldConfig = GraphQLFieldConfig<unknown, Context>
type Arguments = Record<string, unknown>
type Bind = (args: Arguments, identity: Identity) => Arguments
type Resolver = GraphQLFieldResolver<unknown, Context>

/**
 * Puts what the schema's directives ask around the resolvers, whatever the gateway decided before: who may call them,
 * with which arguments, and whose objects they may hand out.
 * Fields without rules keep their resolvers untouched.
 *
 * @param policies - one for each name that the schema uses: `buildSchema` sees to that.
 */
export function protectSchema(schema: GraphQLSchema, policies: Policies = {}): GraphQLSchema {
  const mutation = schema.getMutationType()?.name
  const subscription = schema.getSubscriptionType()?.name
  const binderOf = createSubjectBinders(schema, (_coordinate, { astNode }) => {
    const subject = astNode ? readSubject(astNode) : null
    return subject ? [subject] : []
  })
  const policyGuardOf = createPolicyGuards(policies)

  return mapSchema(schema, {
    [MapperKind.OBJECT_TYPE]: (type) => {
      const rules = typeRules(type)
      return protectReferences(type, guardOf(rules), policyGuardOf({ ofTypes: rules }))
    },
    [MapperKind.OBJECT_FIELD]: (config: FieldConfig, fieldName, typeName) => {
      const rules = fieldRules(schema, typeName, fieldName, config)
      const guard = guardOf([...rules.ofField, ...rules.ofTypes])
      const policyGuard = policyGuardOf(rules)
      const bind = binderOf(declaredArguments(schema, typeName, fieldName, config))
      const owned = ownerCheck(schema, config.type)
      const isEvent = typeName === subscription
      if (!guard && !policyGuard && !bind && !owned && typeName !== mutation && !isEvent) return undefined

      const bindAll = (args: Arguments, identity: Identity) =>
        bind ? boundValues(bind(args, identity), `${typeName}.${fieldName}`) : args
      const original = config.resolve ?? (isEvent ? asItIs : defaultFieldResolver)
      const isolated = typeName === mutation ? inSavepoint(original) : original
      const resolve: Resolver = (parent, args, context, info) => {
        const { identity } = context
        guard?.(identity)
        const bound = bindAll(args, identity)
        const run = () => {
          const value = isolated(parent, bound, context, info)
          return owned ? owned(value, context, info) : value
        }
        return policyGuard ? policyGuard(identity, bound).then(run) : run()
      }
      return isEvent
        ? { ...config, resolve, subscribe: protectSource(config, guard, policyGuard, bindAll) }
        : { ...config, resolve }
    },
  })
}

/** An event is the value of its field, unless a resolver says otherwise. */
const asItIs: Resolver = (event) => event

/** Nothing is listened to for somebody who may not; each event is decided by its field's resolver once more. */
function protectSource(
  { subscribe }: FieldConfig,
  guard: Guard | null,
  policyGuard: PolicyGuard | null,
  bind: Bind,
): Resolver {
  return async (root, args, context, info): Promise<unknown> => {
    const { identity } = context
    guard?.(identity)
    const bound = bind(args, identity)
    await policyGuard?.(identity, bound)
    return subscribe?.(root, bound, context, info)
  }
}

function boundValues(bound: BoundArguments, coordinate: string) {
  if ('refusal' in bound) throw new RefusalError(bound.refusal, coordinate)
  return bound.values
}

/** What an interface says of an argument holds for every object that implements it. */
function declaredArguments(schema: GraphQLSchema, typeName: string, fieldName: string, { args = {} }: FieldConfig) {
  const type = schema.getType(typeName)
  const interfaces = isObjectType(type) ? type.getInterfaces() : []
  const inherited = interfaces.map((parent): SubjectInputs => ({
    coordinateOf: (argument) => `${parent.name}.${fieldName}(${argument}:)`,
    inputs: Object.fromEntries(parent.getFields()[fieldName]?.args.map((argument) => [argument.name, argument]) ?? []),
  }))
  return [{ coordinateOf: (argument: string) => `${typeName}.${fieldName}(${argument}:)`, inputs: args }, ...inherited]
}

/** An error in one Mutation field undoes what that field did, and nothing else. */
function inSavepoint(resolve: Resolver): Resolver {
  return (parent, args, context, info) => {
    forgetLoaded(context)
    const work = async (): Promise<unknown> => resolve(parent, args, context, info)
    return context[transaction]?.field(work) ?? work()
  }
}

/**
 * An entity's type is protected before the entity is looked up, not only when its fields are read. Always by a promise:
 * what a reference resolver throws at once would take all other entities of the request with it.
 */
function protectReferences(
  type: GraphQLObjectType,
  guard: Guard | null,
  policyGuard: PolicyGuard | null,
): GraphQLObjectType | undefined {
  const { apollo } = type.extensions as {
    apollo?: { subgraph?: { resolveReference?: GraphQLReferenceResolver<Context> } }
  }
  const original = apollo?.subgraph?.resolveReference
  if (!original) return undefined

  const resolveReference: GraphQLReferenceResolver<Context> = async (reference, context, info): Promise<unknown> => {
    guard?.(context.identity)
    if (policyGuard) await policyGuard(context.identity, {})
    return original(reference, context, info)
  }
  const extensions = { ...type.extensions, apollo: { ...apollo, subgraph: { ...apollo?.subgraph, resolveReference } } }
  return new GraphQLObjectType({ ...type.toConfig(), extensions })
}
