import type { QueryPlanFieldNode, QueryPlanSelectionNode } from '@apollo/query-planner'
import { type Data, isData } from './places.ts'
import type { IsOfType } from './type-conditions.ts'

/** Picks of an entity what a subgraph has to know of it; null if that is not there. */
export type Represent = (entity: Data) => Data | null

/** A part of a selection that counts as a whole: what lacks one of its fields is left out. */
type Part = (source: Data, into: Data) => boolean

/** Compiles the selections that a fetch `requires`, once for each type of entity that comes. */
export function compileRepresentation(selections: readonly QueryPlanSelectionNode[], isOfType: IsOfType): Represent {
  const select = compileSelections(selections, isOfType)
  return (entity) => {
    const representation = select(entity)
    return representation !== null && typeof representation['__typename'] === 'string' ? representation : null
  }
}

/** @returns what picks of an object what is selected of its type, or null where a field of the selection itself is missing. */
function compileSelections(selections: readonly QueryPlanSelectionNode[], isOfType: IsOfType): Represent {
  const byType = new Map<unknown, Represent>()

  function compileFor(typename: unknown): Represent {
    const fields = selections.filter((node) => node.kind === 'Field').map((node) => compileField(node, isOfType))
    const fragments = selections.flatMap(({ kind, ...rest }) =>
      kind === 'InlineFragment' && 'typeCondition' in rest && applies(typename, rest.typeCondition, isOfType)
        ? [compileSelections(rest.selections ?? [], isOfType)]
        : [],
    )
    const [only] = fragments
    if (only !== undefined && fragments.length === 1 && fields.length === 0) return (source) => only(source) ?? {}
    return (source) => {
      const into: Data = {}
      for (const part of fields) if (!part(source, into)) return null
      for (const fragment of fragments) mergeSelected(into, fragment(source))
      return into
    }
  }
  return (source) => {
    const typename = source['__typename']
    let select = byType.get(typename)
    if (select === undefined) {
      select = compileFor(typename)
      // Of names that subgraphs make up, there is no end.
      if (byType.size < 100) byType.set(typename, select)
    }
    return select(source)
  }
}

const applies = (typename: unknown, condition: string | undefined, isOfType: IsOfType) =>
  condition !== undefined && typeof typename === 'string' && isOfType(typename, condition)

function compileField({ alias, name, selections }: QueryPlanFieldNode, isOfType: IsOfType): Part {
  const key = alias ?? name
  const select = selections && compileSelections(selections, isOfType)
  return (source, into) => {
    const value = Object.hasOwn(source, key) ? source[key] : undefined
    const selected = select ? selectIn(value, select) : value
    if (selected === undefined) return false
    into[key] = selected
    return true
  }
}

/** @returns undefined where something is missing, or has no fields to select. */
function selectIn(value: unknown, select: Represent): unknown {
  if (value === null) return null
  if (isData(value)) return select(value) ?? undefined
  if (!Array.isArray(value)) return undefined
  const items = value.map((item: unknown) => selectIn(item, select))
  return items.includes(undefined) ? undefined : items
}

/** What two fragments selected of one object. */
function mergeSelected(into: Data, selected: Data | null): void {
  for (const [key, value] of Object.entries(selected ?? {})) {
    const known = into[key]
    if (isData(known) && isData(value)) mergeSelected(known, value)
    else if (Array.isArray(known) && Array.isArray(value) && known.length === value.length)
      into[key] = known.map((item: unknown, index) => mergeItem(item, value[index]))
    else into[key] = value
  }
}

function mergeItem(known: unknown, value: unknown): unknown {
  if (!isData(known) || !isData(value)) return value
  mergeSelected(known, value)
  return known
}
