import { Kind, valueFromASTUntyped } from 'graphql'
import type { ConstDirectiveNode, DocumentNode } from 'graphql'

/** One `@link` of a schema (link v1.0). */
export interface LinkedSpec {
  readonly node: ConstDirectiveNode
  readonly url: string
  readonly as: string | null
  readonly for: string | null
  /** Names, with `@` for directives, and what they are imported as. */
  readonly imports: ReadonlyMap<string, string>
}

/** Every `@link` of a schema and its extensions. */
export function linkedSpecs(document: DocumentNode): LinkedSpec[] {
  return document.definitions.flatMap((definition) => {
    if (definition.kind !== Kind.SCHEMA_DEFINITION && definition.kind !== Kind.SCHEMA_EXTENSION) return []
    return (definition.directives ?? []).filter((directive) => directive.name.value === 'link').map(readLink)
  })
}

function readLink(node: ConstDirectiveNode): LinkedSpec {
  const given = Object.fromEntries(
    (node.arguments ?? []).map((argument) => [argument.name.value, valueFromASTUntyped(argument.value)]),
  )
  const imports = new Map<string, string>()
  for (const item of Array.isArray(given['import']) ? (given['import'] as unknown[]) : []) {
    if (typeof item === 'string') imports.set(item, item)
    else if (typeof item === 'object' && item !== null && 'name' in item) {
      const name = String(item.name)
      imports.set(name, 'as' in item ? String(item.as) : name)
    }
  }
  return {
    node,
    url: typeof given['url'] === 'string' ? given['url'] : '',
    as: typeof given['as'] === 'string' ? given['as'] : null,
    for: typeof given['for'] === 'string' ? given['for'] : null,
    imports,
  }
}
