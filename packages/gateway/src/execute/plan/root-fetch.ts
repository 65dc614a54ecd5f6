import type { FetchNode } from '@apollo/query-planner'
import { compileRewrites } from './data-rewrites.ts'
import { readFetchSelection } from './fetch-selection.ts'
import { mergeData } from './merge-data.ts'
import { objectsAt, placesOf, type PlanPath } from './places.ts'
import { prepareBody } from './request-body.ts'
import type { PlanParts, Step } from './run.ts'
import { problemOf } from './problem.ts'

/** Fetches fields of a root type: the operation's, or one that is reached through a field. */
export function compileRootFetch(fetch: FetchNode, path: PlanPath, parts: PlanParts): Step {
  const { isOfType } = parts
  const { rootFields, fields, dataPathOf } = readFetchSelection(fetch)
  const send = parts.subgraphOf(fetch.serviceName).prepare({ operation: fetch.operationKind, rootFields })
  const encode = prepareBody(fetch, parts.variableOf)
  const rewrite = compileRewrites(fetch.outputRewrites, isOfType)
  const keys = fields.map(({ key }) => key)

  return async (run) => {
    const objects = objectsAt(run.data, path, run.isShared)
    if (objects.length === 0) return
    const places = () => placesOf(run.data, path, objects)
    try {
      const { data, errors } = await send(encode(run.variables), run.context, null)
      for (const { path: at, ...error } of errors) {
        if (at === undefined) run.errors.add(error, undefined)
        else for (const { path: place } of places()) run.errors.add(error, [...place, ...dataPathOf(at)])
      }
      if (data === null) return
      rewrite?.(data)
      for (const object of objects) mergeData(object, data, isOfType)
      run.isShared ||= objects.length > 1
    } catch (error) {
      for (const { path: place } of places()) run.errors.addToFields(problemOf(error), place, keys)
    }
  }
}
