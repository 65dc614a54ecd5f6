import { codegen } from '@graphql-codegen/core'
import * as documentNodes from '@graphql-codegen/typed-document-node'
import * as operations from '@graphql-codegen/typescript-operations'
import { buildSchema, type GraphQLError, parse, Source, validate } from 'graphql'

/** As they are in JSON. */
const scalars: Readonly<Record<string, string>> = { ID: 'string', Decimal: 'string', DateTime: 'string' }

/**
 * TypeScript of a client's operations: a `TypedDocumentNode` of each, by which its client knows variables and answers.
 *
 * @param graph - SDL of what clients see
 * @param files - texts by path
 * @throws {GraphQLError} at the first that does not fit
 */
export async function documentTypes(graph: string, files: ReadonlyMap<string, string>): Promise<string> {
  const schemaAst = buildSchema(graph)
  const documents = Array.from(files, ([location, text]) => ({ location, document: parse(new Source(text, location)) }))
  const whole = { kind: 'Document', definitions: documents.flatMap(({ document }) => document.definitions) } as const
  const [error] = validate(schemaAst, whole as ReturnType<typeof parse>)
  if (error) throw error
  const generated = await codegen({
    filename: 'documents.ts',
    schema: parse(graph),
    schemaAst,
    documents,
    skipDocumentsValidation: true,
    plugins: [{ operations: {} }, { documentNodes: {} }],
    pluginMap: { operations, documentNodes },
    config: {
      useTypeImports: true,
      enumsAsTypes: true,
      immutableTypes: true,
      skipTypename: true,
      defaultScalarType: 'unknown',
      scalars,
    },
  })
  return `// Made from operations by \`behalf types --documents\`. Not to be changed by hand.\n${generated}\n`
}

/** Where it is, as far as that is known. */
export function placeOf({ source, locations, nodes }: GraphQLError, otherwise: string): string {
  const file = source?.name ?? nodes?.[0]?.loc?.source.name ?? otherwise
  return `${file}:${locations?.[0]?.line ?? 1}`
}
