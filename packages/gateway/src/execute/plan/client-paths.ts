import { Kind, type SelectionSetNode } from 'graphql'
import type { ClientOperation } from './collect-fields.ts'

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

function readNames({ operation, sourceOf }: ClientOperation): Names {
  function add({ selections }: SelectionSetNode, into: Names): Names {
    for (const node of selections) {
      if (node.kind === Kind.INLINE_FRAGMENT) add(node.selectionSet, into)
      if (node.kind !== Kind.FIELD) continue
      const source = sourceOf(node)
      const field = into.get(source) ?? { name: (node.alias ?? node.name).value, fields: new Map() }
      into.set(source, field)
      if (node.selectionSet) add(node.selectionSet, field.fields)
    }
    return into
  }
  return add(operation.selectionSet, new Map())
}
