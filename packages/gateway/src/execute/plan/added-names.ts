import { type ConstDirectiveNode, type DocumentNode, Kind, parse, type ValueNode, visit } from 'graphql'

/**
 * Names of the fields that plans ask for on their own: of keys, of what fields require, and of contexts. The planner
 * takes a client's alias of such a name for the field itself.
 */
export interface AddedNames {
  readonly all: ReadonlySet<string>
  /** Those that a field requires with arguments: the client's arguments may be others. */
  readonly withArguments: ReadonlySet<string>
}

/** Reads the join directives of a supergraph. */
export function namesThatPlansAdd(supergraph: DocumentNode): AddedNames {
  const all = new Set(['__typename'])
  const withArguments = new Set<string>()
  function add(fieldSet: string): void {
    visit(parse(/^\s*\{/.test(fieldSet) ? fieldSet : `{ ${fieldSet} }`, { noLocation: true }), {
      Field({ name, arguments: given = [] }) {
        all.add(name.value)
        if (given.length > 0) withArguments.add(name.value)
      },
    })
  }
  visit(supergraph, {
    Directive(node) {
      for (const fieldSet of fieldSetsOf(node as ConstDirectiveNode)) add(fieldSet)
      return false
    },
  })
  return { all, withArguments }
}

function fieldSetsOf({ name, arguments: given = [] }: ConstDirectiveNode): string[] {
  if (!name.value.startsWith('join__')) return []
  return given.flatMap((argument) => {
    if (argument.name.value === 'key' || argument.name.value === 'requires') return texts(argument.value)
    // On a type of the context, or in a fragment on each of several types of it: `{ prop }`, `... on T { prop }`.
    if (argument.name.value === 'contextArguments') return memberOf(argument.value, 'selection').flatMap(texts)
    return []
  })
}

const texts = (value: ValueNode) => (value.kind === Kind.STRING ? [value.value] : [])

function memberOf(value: ValueNode, name: string): ValueNode[] {
  if (value.kind === Kind.LIST) return value.values.flatMap((item) => memberOf(item, name))
  if (value.kind !== Kind.OBJECT) return []
  return value.fields.flatMap((field) => (field.name.value === name ? [field.value] : []))
}
