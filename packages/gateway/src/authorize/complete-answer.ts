import { createRefusal } from '@behalf/identity'
import {
  buildASTSchema,
  type DocumentNode,
  executeSync,
  type ExecutionResult,
  type FieldNode,
  type GraphQLError,
  type GraphQLFieldResolver,
  type GraphQLSchema,
  parse,
  visit,
} from 'graphql'
import { type Denial, denialError, wasAskedFor } from './denial.ts'

const ofAnotherType = createRefusal('UNAUTHORIZED_FIELD_OR_TYPE', '')

/** Thrown where a field was removed, so that null propagates from there as execution has it (GraphQL 6.4.4). */
const withheld = new Error('withheld')

/**
 * Answers are completed by response name. With arguments, one that cannot be coerced would be reported here once more,
 * after the subgraph that was given it.
 */
export const withoutArguments = (sdl: string): GraphQLSchema =>
  buildASTSchema(visit(parse(sdl), { FieldDefinition: (node) => ({ ...node, arguments: [] }) }), { assumeValid: true })

/**
 * Puts null, and an error that says why, where fields were removed from what was executed: the original operation is
 * executed once more, over the answer. `__typename` of whatever is in it is known, see `filterOperation`.
 */
export function completeAnswer(options: {
  /** {@link withoutArguments} */
  readonly schema: GraphQLSchema
  /** The original. */
  readonly document: DocumentNode
  readonly operationName: string | null
  readonly rawVariables: Readonly<Record<string, unknown>>
  /** Coerced. */
  readonly variables: Readonly<Record<string, unknown>>
  readonly denials: readonly Denial[]
  readonly removed: ReadonlyMap<FieldNode, readonly Denial[]>
  readonly result: ExecutionResult
}): ExecutionResult {
  const { schema, document, operationName, rawVariables, variables, denials, removed, result } = options
  // Not executed at all.
  if (result.data === undefined) return result

  const reported = new Map<string, GraphQLError>()
  function report(parent: readonly string[], denial: Pick<Denial, 'path' | 'code' | 'message' | 'details'>): void {
    const place = [...parent, ...denial.path]
    const key = placeOf(place, denial.code)
    if (!reported.has(key)) reported.set(key, denialError(denial, place))
  }

  const resolve: GraphQLFieldResolver<Record<string, unknown>, unknown> = (source, _args, _context, info) => {
    const { key, prev } = info.path
    if (Object.hasOwn(source, key)) return source[key]
    const reasons = info.fieldNodes.flatMap((node) => removed.get(node) ?? [])
    for (const denial of reasons) if (wasAskedFor(denial, variables)) report(withoutIndexes(prev), denial)
    // Asked for only inside of what is denied of this type, while another type's rule allows what is around it.
    if (reasons.length === 0) report(withoutIndexes(prev), { ...ofAnotherType, path: [String(key)] })
    throw withheld
  }

  let { data } = result
  let faults: readonly GraphQLError[] = []
  if (data === null) {
    for (const denial of denials) if (wasAskedFor(denial, variables)) report([], denial)
  } else {
    const completed = executeSync({
      schema,
      document,
      operationName,
      rootValue: data,
      variableValues: rawVariables,
      fieldResolver: resolve,
      typeResolver: (value: Record<string, unknown>) => String(value['__typename']),
    })
    data = completed.data ?? null
    faults = completed.errors?.filter(({ originalError }) => originalError !== withheld) ?? []
  }
  // A subgraph that was asked for the field of another type may have denied the same place.
  const others = (result.errors ?? []).filter(
    ({ path = [], extensions }) =>
      !reported.has(
        placeOf(
          path.filter((each) => typeof each === 'string'),
          extensions?.['code'],
        ),
      ),
  )
  const errors = [...others, ...faults, ...reported.values()]
  const { extensions } = result
  return { data, ...(errors.length > 0 && { errors }), ...(extensions && { extensions }) }
}

const placeOf = (path: readonly string[], code: unknown) => `${path.join('.')} ${String(code)}`

interface ResponsePath {
  readonly prev: ResponsePath | undefined
  readonly key: string | number
}

function withoutIndexes(path: ResponsePath | undefined): string[] {
  const names: string[] = []
  for (let at = path; at !== undefined; at = at.prev) if (typeof at.key === 'string') names.unshift(at.key)
  return names
}
