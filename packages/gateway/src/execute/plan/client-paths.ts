import { type FragmentDefinitionNode, Kind, type SelectionSetNode } from 'graphql'
import { type ClientOperation, isWanted } from './collect-fields.ts'

export type Path = readonly (string | number)[]

/**
 * Where in the client's answer a place in the data of subgraphs is: under the client's names, and cut off where it leaves
 * what the client asked for, as in a field that only the plan needed.
 */
export type ClientPathOf = (path: Path) => { readonly path: Path; readonly isWhole: boolean }

/** Fields by source name, whatever the type of the object. */
type Names = Map<string, { readonly name: string; readonly fields: Names }>

/** The names are read when the first path is asked for: most answers have no errors. */
export function createClientPaths(client: ClientOperation): ClientPathOf {
  let names: Names | undefined
  return (path) => {
    names ??= readNames(client)
    const known: (string | number)[] = []
    let fields: Names | undefined = names
    for (const key of path) {
      if (typeof key === 'number') {
        known.push(key)
        continue
      }
      const field: { readonly name: string; readonly fields: Names } | undefined = fields?.get(key)
      if (field === undefined) return { path: known, isWhole: false }
      known.push(field.name)
      fields = field.fields
    }
    return { path: known, isWhole: true }
  }
}

function readNames(client: ClientOperation): Names {
  const root: Names = new Map()
  const read = new Map<Names, Set<FragmentDefinitionNode>>()

  function add({ selections }: SelectionSetNode, into: Names): void {
    for (const node of selections) {
      if (!isWanted(client, node)) continue
      if (node.kind === Kind.FIELD) {
        const source = client.sourceOf(node)
        const field = into.get(source) ?? { name: (node.alias ?? node.name).value, fields: new Map() }
        into.set(source, field)
        if (node.selectionSet) add(node.selectionSet, field.fields)
      } else if (node.kind === Kind.INLINE_FRAGMENT) {
        add(node.selectionSet, into)
      } else {
        const fragment = client.fragments.get(node.name.value)
        const known = read.get(into) ?? new Set()
        read.set(into, known)
        if (!fragment || known.has(fragment)) continue
        known.add(fragment)
        add(fragment.selectionSet, into)
      }
    }
  }
  add(client.operation.selectionSet, root)
  return root
}
