import { codegen } from '@graphql-codegen/core'
import * as typescript from '@graphql-codegen/typescript'
import * as resolvers from '@graphql-codegen/typescript-resolvers'
import { buildASTSchema, isScalarType, isSpecifiedScalarType, parse, Source } from 'graphql'
import type { GraphQLSchema } from 'graphql'
import { modelTypes } from './model-types.ts'

/** What an app says besides its schema. */
export interface AppTypes {
  /** Text of its SDL. */
  readonly sdl: string
  /** What its errors call the file. */
  readonly file: string
  /** Whether src/database.ts has its `Database`. */
  readonly hasDatabase: boolean
  /** Names of what src/models.ts exports. */
  readonly models: ReadonlySet<string>
}

/** As `scalars` of @behalf/subgraph gives and takes them. */
const scalars: Readonly<Record<string, string>> = { ID: 'string', Decimal: 'string', DateTime: 'Date' }

/** TypeScript of the resolvers of a subgraph: `Resolvers`, with context, arguments, references and models. */
export async function resolverTypes({ sdl, file, hasDatabase, models }: AppTypes): Promise<string> {
  const document = parse(new Source(sdl, file))
  // Directives of linked specifications are not defined in it: compose says what is wrong with them.
  const schema = buildASTSchema(document, { assumeValid: true, assumeValidSDL: true })
  const { text, mappers } = modelTypes(schema, models)
  const tables = hasDatabase ? 'Database' : 'unknown'
  const hasStreams = schema.getSubscriptionType() != null
  const generated = await codegen({
    filename: 'schema.ts',
    schema: document,
    schemaAst: schema,
    documents: [],
    skipDocumentsValidation: true,
    plugins: [{ typescript: {} }, { resolvers: {} }],
    pluginMap: { typescript, resolvers },
    config: {
      federation: true,
      useTypeImports: true,
      enumsAsTypes: true,
      immutableTypes: true,
      skipTypename: true,
      defaultScalarType: 'unknown',
      inputMaybeValue: 'T | null',
      // A root field without a resolver is null, and says nothing of it.
      avoidOptionals: { query: true, mutation: true, subscription: true },
      scalars: { ...scalars, ...ownScalars(schema, models) },
      contextType: `SubgraphContext<${tables}>`,
      mappers,
    },
  })
  const contexts = ['SubgraphContext', ...(hasStreams ? ['SubscribeContext'] : [])]
  return [
    '// Made from the schema by `npm run types`. Not to be changed by hand, and not committed.',
    `import type { ${contexts.join(', ')} } from '@behalf/subgraph'`,
    ...(hasDatabase ? ["import type { Database } from '../database.ts'"] : []),
    asSubgraphsHaveIt(generated, hasStreams ? subscriptionResolver.replaceAll('Tables', tables) : ''),
    text,
    '',
  ].join('\n')
}

/** What GraphQL Code Generator takes for granted of servers, and is another thing here. */
function asSubgraphsHaveIt(generated: string, streams: string): string {
  return (
    generated
      // An argument with a default can be null all the same, if a client says so.
      .replace('{ [P in K]-?: NonNullable<T[P]> }', '{ [P in K]-?: Exclude<T[P], undefined> }')
      .replaceAll(/^ {2}(Query|Mutation|Subscription)\?: (?=\1Resolvers<)/gm, '  $1: ')
      // Events are shown as they come, and not under the name of their field.
      .replace(
        /^export interface SubscriptionSubscriberObject<.*?^export type TypeResolveFn/ms,
        `${streams}\n\nexport type TypeResolveFn`,
      )
      .replaceAll(/(?<=: SubscriptionResolver<.*?), "\w+", ParentType/g, ', ParentType')
  )
}

const subscriptionResolver = `export type SubscriptionResolver<TResult, TParent, TContext, TArgs> =
  | { subscribe: (root: TParent, args: TArgs, context: SubscribeContext<Tables>) => AsyncIterable<TResult>; resolve?: never }
  | {
      // What events are is between the two.
      subscribe: (root: TParent, args: TArgs, context: SubscribeContext<Tables>) => AsyncIterable<any>;
      resolve: ResolverFn<TResult, any, TContext, TArgs>;
    };`

function ownScalars(schema: GraphQLSchema, models: ReadonlySet<string>): Record<string, string> {
  return Object.fromEntries(
    Object.values(schema.getTypeMap()).flatMap((type) =>
      isScalarType(type) && !isSpecifiedScalarType(type) && models.has(type.name)
        ? [[type.name, `import('../models.ts').${type.name}`]]
        : [],
    ),
  )
}
