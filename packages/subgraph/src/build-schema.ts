import { buildSubgraphSchema, type GraphQLResolverMap } from '@apollo/subgraph'
import { identityDirectiveNames, identityDirectives, type Policies, readRule, requirePolicies } from '@behalf/identity'
import {
  buildASTSchema,
  concatAST,
  type DocumentNode,
  getDirectiveValues,
  type GraphQLSchema,
  isObjectType,
  Kind,
  parse,
  Source,
  visit,
} from 'graphql'
import type { Resolvers } from './resolvers.ts'

/**
 * Builds the executable schema: the subgraph's SDL, Federation's definitions and ours.
 *
 * @throws {Error} when the SDL or a resolver's name is wrong, or a policy that the SDL names was not given.
 */
export function buildSchema<Tables>(
  name: string,
  typeDefs: string,
  resolvers: Resolvers<Tables>,
  policies: Policies = {},
): GraphQLSchema {
  const document = parse(new Source(typeDefs, `schema of ${name}`))
  refuseUnreadRules(document)
  requirePolicies('createSubgraph', policyNames(document), policies)
  const schema = buildSubgraphSchema([
    { typeDefs: concatAST([document, definitions(document)]), resolvers: resolvers as unknown as GraphQLResolverMap },
  ])
  refuseUnknownResolvers(schema, resolvers)
  requireSources(schema)
  return schema
}

const identityDefinitions = buildASTSchema(parse(identityDirectives, { noLocation: true }), { assumeValidSDL: true })
const federationRules: ReadonlySet<string> = new Set(['authenticated', 'requiresScopes', 'policy'])

/** Our definitions, but for types that the SDL repeats. */
function definitions(document: DocumentNode): DocumentNode {
  const own = new Set(document.definitions.map(nameOf))
  const ours = parse(identityDirectives, { noLocation: true })
  return { ...ours, definitions: ours.definitions.filter((definition) => !own.has(nameOf(definition))) }
}

function nameOf(definition: DocumentNode['definitions'][number]): string | null {
  return 'name' in definition && definition.name ? `${definition.kind} ${definition.name.value}` : null
}

/**
 * Rules are read by the directives' own names. Under another name (link v1.0, "Renaming") a rule would be valid SDL
 * that protects nothing, and so would an empty list of scopes or policies: neither starts.
 */
function refuseUnreadRules(document: DocumentNode): void {
  visit(document, {
    DirectiveDefinition({ name: { value: name } }) {
      if (identityDirectiveNames.has(name) || federationRules.has(name))
        throw new Error(`Import @${name} with @link instead of defining it: its rules are read by its own definition.`)
    },
    Directive(directive) {
      const name = directive.name.value
      const definition = identityDirectiveNames.has(name) ? identityDefinitions.getDirective(name) : null
      // Names its fault: an access that does not exist would be none.
      if (definition) getDirectiveValues(definition, { directives: [directive] })
      if (/^(federation|identity)__/.test(name))
        throw new Error(`Import @${name.split('__')[1]} with @link and use it by that name, not as @${name}.`)
      if (
        (name === 'requiresScopes' || name === 'policy') &&
        directive.arguments?.some(({ value }) => hasEmptyList(value))
      ) {
        const what = name === 'policy' ? 'policies' : 'scopes'
        throw new Error(`@${name} with an empty list of ${what} lets everybody pass: name ${what} or remove it.`)
      }
      const imports =
        name === 'link' ? directive.arguments?.find((argument) => argument.name.value === 'import')?.value : undefined
      if (imports?.kind !== Kind.LIST) return
      for (const item of imports.values) {
        if (item.kind === Kind.OBJECT && item.fields.some((field) => field.name.value === 'as')) {
          throw new Error('Import directives by their own names: "as" in @link is not supported.')
        }
      }
    },
  })
}

function policyNames(document: DocumentNode): string[] {
  const names: string[] = []
  visit(document, { Directive: (node) => void names.push(...readRule({ directives: [node] }, null).policies.flat()) })
  return names
}

interface ListLike {
  readonly kind: Kind
  readonly values?: readonly ListLike[]
}

/** Of values, only lists have values of their own. */
function hasEmptyList({ values }: ListLike): boolean {
  return values?.length === 0 || values?.some(hasEmptyList) === true
}

/** A resolver under a misspelt name would silently never be called. */
function refuseUnknownResolvers(schema: GraphQLSchema, resolvers: object): void {
  for (const [typeName, fields] of Object.entries(resolvers)) {
    const type = schema.getType(typeName)
    if (!type) throw new Error(`There are resolvers of ${typeName}, which the schema does not have.`)
    if (!isObjectType(type)) continue
    for (const field of Object.keys(fields)) {
      if (!field.startsWith('__') && !(field in type.getFields())) {
        throw new Error(`There is a resolver of ${typeName}.${field}, which the schema does not have.`)
      }
    }
  }
}

/** Without one a stream would never have an event, and say nothing of it. */
function requireSources(schema: GraphQLSchema): void {
  for (const { name, subscribe } of Object.values(schema.getSubscriptionType()?.getFields() ?? {}))
    if (!subscribe) throw new Error(`Subscription.${name} has no \`subscribe\`, from which its events would come.`)
}
