import type { FetchDataRewrite } from '@apollo/query-planner'
import { type Data, isData } from './places.ts'
import type { IsOfType } from './type-conditions.ts'

/** Changes data in place. */
export type Rewrite = (data: unknown) => void

/** Rewrites of what a subgraph is sent or has answered, such as the names of fields that would not have merged. */
export function compileRewrites(rewrites: readonly FetchDataRewrite[] | undefined, isOfType: IsOfType): Rewrite | null {
  if (rewrites === undefined || rewrites.length === 0) return null
  const compiled = rewrites.map((rewrite) => compileRewrite(rewrite, isOfType))
  return (data) => {
    for (const rewrite of compiled) rewrite(data)
  }
}

function compileRewrite(rewrite: FetchDataRewrite, isOfType: IsOfType): Rewrite {
  const last = rewrite.path.at(-1)
  if (last === undefined) throw new TypeError('A rewrite of nothing.')
  return rewrite.path.slice(0, -1).reduceRight<Rewrite>(
    (inner, step) => eachAt(step, inner, isOfType),
    (data) => {
      for (const object of objectsIn(data)) {
        if (rewrite.kind === 'ValueSetter') object[last] = rewrite.setValueTo
        else if (Object.hasOwn(object, last)) object[rewrite.renameKeyTo] = object[last]
      }
    },
  )
}

function eachAt(step: string, inner: Rewrite, isOfType: IsOfType): Rewrite {
  const condition = /^\.\.\. on (.+)$/.exec(step)?.[1]
  return (data) => {
    for (const object of objectsIn(data)) {
      if (condition === undefined) inner(Object.hasOwn(object, step) ? object[step] : undefined)
      else if (mayBe(object['__typename'], condition, isOfType)) inner(object)
    }
  }
}

const mayBe = (typename: unknown, condition: string, isOfType: IsOfType) =>
  typeof typename !== 'string' || isOfType(typename, condition)

/** Objects in whatever lists. */
function* objectsIn(data: unknown): Generator<Data> {
  if (Array.isArray(data)) for (const item of data) yield* objectsIn(item)
  else if (isData(data)) yield data
}
