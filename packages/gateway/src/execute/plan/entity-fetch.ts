import type { FetchNode, QueryPlanSelectionNode } from '@apollo/query-planner'
import type { SubgraphResponse } from '../subgraph-response.ts'
import { compileContexts } from './context-arguments.ts'
import { compileRewrites } from './data-rewrites.ts'
import { type EntityBatch, startBatch } from './entity-batch.ts'
import { readFetchSelection } from './fetch-selection.ts'
import { mergeData } from './merge-data.ts'
import { type Data, isData, objectsAt, placesAt, placesOf, type PlanPath } from './places.ts'
import { invalid, type Problem, problemOf } from './problem.ts'
import { compileRepresentation } from './representation.ts'
import { encodeVariable, prepareBody } from './request-body.ts'
import type { PlanParts, Run, Step } from './run.ts'

/** How many errors of one request are told at most. */
const maxTold = 100

/** Fetches more of objects that are there already, which a subgraph knows by their keys (`_entities`). */
export function compileEntityFetch(
  fetch: FetchNode,
  requires: readonly QueryPlanSelectionNode[],
  path: PlanPath,
  parts: PlanParts,
): Step {
  const { isOfType, usesContexts } = parts
  const { rootFields, fields, dataPathOf } = readFetchSelection(fetch)
  const send = parts.subgraphOf(fetch.serviceName).prepare({ operation: fetch.operationKind, rootFields })
  const contexts = compileContexts(fetch.contextRewrites, isOfType)
  const encode = prepareBody(fetch, parts.variableOf)
  const represent = compileRepresentation(requires, isOfType)
  const rewriteInput = compileRewrites(fetch.inputRewrites, isOfType)
  const rewriteOutput = compileRewrites(fetch.outputRewrites, isOfType)

  function add(object: Data, batch: EntityBatch): void {
    const representation = represent(object)
    if (representation === null) return
    rewriteInput?.(representation)
    batch.add(JSON.stringify(representation), object)
  }

  function batchOf({ data, isShared }: Run): EntityBatch {
    const batch = startBatch([], !usesContexts)
    for (const object of objectsAt(data, path, isShared)) add(object, batch)
    return batch
  }

  /** Of arguments that come from contexts and differ, each has a request: variables are those of a whole one. */
  function batchesOf({ data }: Run, contextsOf: NonNullable<typeof contexts>): EntityBatch[] {
    const batches = new Map<string, EntityBatch>()
    for (const { object, way } of placesAt(data, path)) {
      const variables = Array.from(contextsOf(way), ([name, value]) => encodeVariable(name, value))
      const key = variables.join()
      const batch = batches.get(key) ?? startBatch(variables, false)
      batches.set(key, batch)
      add(object, batch)
    }
    return [...batches.values()]
  }

  /** Says that what was asked about these objects is not to be had. */
  function fail({ data, errors }: Run, objects: readonly Data[], problem: Problem): void {
    const told = errors.all.length + maxTold
    for (const { object, path: place } of placesOf(data, path, objects)) {
      const typename = String(object['__typename'])
      const keys = fields.filter(({ conditions }) => conditions.every((each) => isOfType(typename, each)))
      if (errors.all.length < told)
        errors.addToFields(
          problem,
          place,
          keys.map(({ key }) => key),
        )
    }
  }

  async function fetchBatch(run: Run, { representations, objects, variables }: EntityBatch): Promise<void> {
    try {
      const represented = encodeVariable('representations', `[${representations.join(',')}]`)
      const own = variables.length === 0 ? [represented] : [represented, ...variables]
      const response = await send(encode(run.variables, own), run.context, objects.length)
      report(run, objects, response)
      const { data } = response
      if (data === null) return
      // As many as were asked for: `send` has seen to it.
      const entities = data['_entities'] as readonly unknown[]
      for (let index = 0; index < objects.length; index++) take(run, objects[index] ?? [], entities[index])
    } catch (error) {
      fail(run, objects.flat(), problemOf(error))
    }
  }

  function report(run: Run, objects: readonly (readonly Data[])[], { errors }: SubgraphResponse): void {
    for (const { path: at, ...error } of errors) {
      if (at === undefined) {
        run.errors.add(error, undefined)
        continue
      }
      const [, index, ...rest] = at
      const concerned = typeof index === 'number' ? (objects[index] ?? []) : objects.flat()
      for (const { path: place } of placesOf(run.data, path, concerned))
        run.errors.add(error, [...place, ...dataPathOf(rest)])
    }
  }

  function take(run: Run, objects: readonly Data[], entity: unknown): void {
    if (entity === null) return
    if (!isData(entity)) return fail(run, objects, invalid)
    rewriteOutput?.(entity)
    for (const object of objects) mergeData(object, entity, isOfType)
    if (objects.length > 1) run.isShared = true
  }

  return (run) => {
    if (contexts === null) {
      const batch = batchOf(run)
      return batch.representations.length === 0 ? undefined : fetchBatch(run, batch)
    }
    const batches = batchesOf(run, contexts).filter(({ representations }) => representations.length > 0)
    return Promise.all(batches.map((batch) => fetchBatch(run, batch))).then(() => undefined)
  }
}
