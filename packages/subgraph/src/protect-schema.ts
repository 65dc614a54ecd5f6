import type { GraphQLReferenceResolver } from '@apollo/subgraph'
import { MapperKind, mapSchema } from '@graphql-tools/utils'
import {
  defaultFieldResolver,
  type GraphQLFieldConfig,
  type GraphQLFieldResolver,
  GraphQLObjectType,
  type GraphQLSchema,
  isObjectType,
} from 'graphql'
import { createSubjectBinders } from './bind-subjects.ts'
import { ownerCheck } from './check-owners.ts'
import { forgetLoaded } from './define-loader.ts'
import { fieldGuard, typeGuard } from './enforce-rules.ts'
import { type RequestContext, transaction } from './request-context.ts'

type Context = RequestContext<unknown>
type FieldConfig = GraphQLFieldConfig<unknown, Context>
type Resolver = GraphQLFieldResolver<unknown, Context>

/**
 * Puts what the schema's directives ask around the resolvers, whatever the gateway decided before: who may call them,
 * with which arguments, and whose objects they may hand out.
 * Fields without rules keep their resolvers untouched.
 */
export function protectSchema(schema: GraphQLSchema): GraphQLSchema {
  const mutation = schema.getMutationType()?.name
  const subjectBinder = createSubjectBinders(schema)
  return mapSchema(schema, {
    [MapperKind.OBJECT_TYPE]: protectReferences,
    [MapperKind.OBJECT_FIELD]: (config: FieldConfig, fieldName, typeName) => {
      const guard = fieldGuard(schema, typeName, fieldName, config)
      const bind = subjectBinder([config.args ?? {}, ...argumentsOfInterfaces(schema, typeName, fieldName)])
      const owned = ownerCheck(schema, config.type)
      if (!guard && !bind && !owned && typeName !== mutation) return undefined

      const original = config.resolve ?? defaultFieldResolver
      const isolated = typeName === mutation ? inSavepoint(original) : original
      const resolve: Resolver = (parent, args, context, info) => {
        guard?.(context.identity)
        const value = isolated(parent, bind ? bind(args, context.identity) : args, context, info)
        return owned ? owned(value, context, info) : value
      }
      return { ...config, resolve }
    },
  })
}

/** What an interface says of an argument holds for every object that implements it. */
function argumentsOfInterfaces(schema: GraphQLSchema, typeName: string, fieldName: string) {
  const type = schema.getType(typeName)
  const interfaces = isObjectType(type) ? type.getInterfaces() : []
  return interfaces.map((parent) =>
    Object.fromEntries(parent.getFields()[fieldName]?.args.map((argument) => [argument.name, argument]) ?? []),
  )
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
function protectReferences(type: GraphQLObjectType): GraphQLObjectType | undefined {
  const { apollo } = type.extensions as {
    apollo?: { subgraph?: { resolveReference?: GraphQLReferenceResolver<Context> } }
  }
  const original = apollo?.subgraph?.resolveReference
  const guard = typeGuard(type)
  if (!original) return undefined

  const resolveReference: GraphQLReferenceResolver<Context> = async (reference, context, info): Promise<unknown> => {
    guard?.(context.identity)
    return original(reference, context, info)
  }
  const extensions = { ...type.extensions, apollo: { ...apollo, subgraph: { ...apollo?.subgraph, resolveReference } } }
  return new GraphQLObjectType({ ...type.toConfig(), extensions })
}
