import { readFileSync } from 'node:fs'
import { identityDirectiveNames, identityDirectives, identitySpecUrl } from '@behalf/identity'
import {
  DirectiveLocation,
  GraphQLError,
  Kind,
  Source,
  buildASTSchema,
  getDirectiveValues,
  parse,
  visit,
} from 'graphql'
import type { ASTNode, DirectiveNode, DocumentNode } from 'graphql'
import { relativePath, type App } from './find-apps.ts'
import { linkedSpecs } from './linked-specs.ts'
import { locate, type Problems } from './problem.ts'

/** A subgraph's schema as its team wrote it. */
export interface SubgraphSource {
  readonly app: App
  readonly document: DocumentNode
  /** The same without anything of the identity specification: what Federation composes. */
  readonly stripped: DocumentNode
}

/** Federation's directives that a subgraph enforces too, by these names. */
const enforcedDirectives = ['authenticated', 'requiresScopes', 'policy'] as const
const federationSpec = 'https://specs.apollo.dev/federation/v'
const definitions = buildASTSchema(parse(identityDirectives, { noLocation: true }), { assumeValidSDL: true })

/** Reads and checks the schema of one app; null (and a problem) where there is none to read. */
export function readSubgraph(root: string, app: App, problems: Problems): SubgraphSource | null {
  const file = relativePath(root, app.schema)
  const document = parseFile(app.schema, file, problems)
  if (!document) return null
  checkLinks(document, file, problems)
  checkDirectives(document, problems)
  return { app, document, stripped: strip(document) }
}

/** Parses a GraphQL file so that its nodes know where they are from; null (and a problem) where it cannot be. */
export function parseFile(path: string, file: string, problems: Problems): DocumentNode | null {
  try {
    return parse(new Source(readFileSync(path, 'utf8'), file))
  } catch (error) {
    if (!(error instanceof GraphQLError)) throw error
    problems.add('SYNTAX', { file, line: error.locations?.[0]?.line ?? 1 }, error.message)
    return null
  }
}

function checkLinks(document: DocumentNode, file: string, problems: Problems): void {
  const links = linkedSpecs(document)
  const identity = links.find((link) => link.url.startsWith('https://behalf.dev/identity/'))
  if (!identity) problems.add('IDENTITY_NOT_LINKED', { file }, 'The schema does not link the identity specification.')
  else if (identity.url !== identitySpecUrl) {
    problems.add('IDENTITY_NOT_LINKED', identity.node, `Only ${identitySpecUrl} is known, not ${identity.url}.`)
  }
  if (identity?.as)
    problems.add('DIRECTIVE_RENAMED', identity.node, 'The identity specification is linked under another name.')
  for (const [name, as] of identity?.imports ?? []) {
    if (!identityDirectiveNames.has(name.slice(1)) || !name.startsWith('@')) {
      problems.add('DIRECTIVE_INVALID', identity?.node, `The identity specification has no ${name}.`)
    } else if (name !== as) problems.add('DIRECTIVE_RENAMED', identity?.node, `${name} is imported as ${as}.`)
  }
  const imported = new Set(
    links.flatMap(({ url, imports }) =>
      [...imports.keys()].filter((name) => {
        const spec = identityDirectiveNames.has(name.slice(1)) ? identitySpecUrl : federationSpec
        return url.startsWith(spec)
      }),
    ),
  )
  imported.add('@identity')
  for (const link of links) {
    for (const name of enforcedDirectives) {
      const as = link.imports.get(`@${name}`)
      if (as !== undefined && as !== `@${name}`)
        problems.add('DIRECTIVE_RENAMED', link.node, `@${name} is imported as ${as}.`)
    }
  }
  const known = new Set<string>([...identityDirectiveNames, ...enforcedDirectives])
  visit(document, {
    Directive(node) {
      const { value: name } = node.name
      if (known.has(name) && !imported.has(`@${name}`)) {
        problems.add('DIRECTIVE_NOT_IMPORTED', node, `@${name} is used and not imported.`)
      }
      const [, unprefixed] = name.split('__')
      if (unprefixed !== undefined && known.has(unprefixed)) {
        problems.add('DIRECTIVE_RENAMED', node, `@${name} is the prefixed name of @${unprefixed}.`)
      }
    },
    DirectiveDefinition(node) {
      if (identityDirectiveNames.has(node.name.value)) {
        problems.add('DIRECTIVE_DEFINED', node, `The schema defines @${node.name.value} itself.`)
      }
    },
  })
}

const locations: Partial<Record<ASTNode['kind'], DirectiveLocation>> = {
  [Kind.SCHEMA_DEFINITION]: DirectiveLocation.SCHEMA,
  [Kind.SCHEMA_EXTENSION]: DirectiveLocation.SCHEMA,
  [Kind.OBJECT_TYPE_DEFINITION]: DirectiveLocation.OBJECT,
  [Kind.OBJECT_TYPE_EXTENSION]: DirectiveLocation.OBJECT,
  [Kind.FIELD_DEFINITION]: DirectiveLocation.FIELD_DEFINITION,
}

/** Arguments and places of our directives, as the definitions have them; and no empty lists of scopes. */
function checkDirectives(document: DocumentNode, problems: Problems): void {
  const check = (
    owner: ASTNode & { readonly directives?: readonly DirectiveNode[] | undefined },
    location: DirectiveLocation | undefined,
  ) => {
    const seen = new Set<string>()
    for (const directive of owner.directives ?? []) {
      const name = directive.name.value
      const definition = identityDirectiveNames.has(name) ? definitions.getDirective(name) : null
      if (definition) {
        if (!location || !definition.locations.includes(location)) {
          problems.add('DIRECTIVE_MISPLACED', directive, `@${name} has no meaning here.`)
        }
        if (seen.has(name)) problems.add('DIRECTIVE_INVALID', directive, `@${name} is here twice.`)
        checkArguments(directive, problems)
      }
      seen.add(name)
      if (name === 'requiresScopes' || name === 'policy') checkNotEmpty(directive, problems)
    }
  }
  visit(document, {
    enter(node, _key, _parent, _path, ancestors) {
      if (!('directives' in node)) return
      const owner = ancestors.findLast((ancestor) => !('length' in ancestor))
      const isInputValue = node.kind === Kind.INPUT_VALUE_DEFINITION
      const inInput = owner && 'kind' in owner && owner.kind.startsWith('InputObject')
      check(
        node,
        isInputValue
          ? inInput
            ? DirectiveLocation.INPUT_FIELD_DEFINITION
            : DirectiveLocation.ARGUMENT_DEFINITION
          : locations[node.kind],
      )
    },
  })
}

function checkArguments(directive: DirectiveNode, problems: Problems): void {
  const definition = definitions.getDirective(directive.name.value)
  if (!definition) return
  for (const argument of directive.arguments ?? []) {
    if (!definition.args.some((known) => known.name === argument.name.value)) {
      problems.add('DIRECTIVE_INVALID', argument, `@${directive.name.value} has no argument "${argument.name.value}".`)
    }
  }
  try {
    getDirectiveValues(definition, { directives: [directive] })
  } catch (error) {
    if (!(error instanceof GraphQLError)) throw error
    problems.add('DIRECTIVE_INVALID', directive, error.message)
  }
}

/** Composition reads `scopes: []` as "nothing is needed". */
function checkNotEmpty(directive: DirectiveNode, problems: Problems): void {
  visit(directive, {
    ListValue(list) {
      if (list.values.length === 0)
        problems.add('SCOPES_EMPTY', directive, `@${directive.name.value} has an empty list.`)
    },
  })
}

function strip(document: DocumentNode): DocumentNode {
  const identityLinks = new Set<ASTNode>(
    linkedSpecs(document).flatMap((link) => (link.url.startsWith('https://behalf.dev/identity/') ? [link.node] : [])),
  )
  return visit(document, {
    Directive: (node) => (identityDirectiveNames.has(node.name.value) || identityLinks.has(node) ? null : undefined),
    SchemaExtension: { leave: (node) => (node.directives?.length || node.operationTypes?.length ? undefined : null) },
  })
}

/** Where Federation's errors are: their nodes come from our files. */
export function placeOf(error: GraphQLError): { file: string; line: number } {
  return locate(error.nodes?.find((node) => node.loc))
}
