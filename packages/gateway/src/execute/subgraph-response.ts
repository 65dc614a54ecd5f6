import { AppError, type ErrorCode, type ErrorDetails, errorTable, readErrorDetails } from '@behalf/identity'
import { z } from 'zod'

/** A subgraph's answer (GraphQL 7.1), with nothing in its errors but what may leave the gateway. */
export interface SubgraphResponse {
  readonly data: Record<string, unknown> | null
  readonly errors: readonly SubgraphError[]
}

export interface SubgraphError {
  readonly message: string
  readonly path?: readonly (string | number)[]
  readonly code: ErrorCode
  /** Only with a code that is about the caller. */
  readonly details: ErrorDetails
}

const responseSchema = z.object({
  // As it is: z.record would leave out what a client named `__proto__`.
  data: z.custom<Record<string, unknown>>((data) => isObject(data)).nullish(),
  errors: z
    .array(
      z.object({
        message: z.string().catch(''),
        path: z
          .array(z.union([z.string(), z.number()]))
          .optional()
          .catch(undefined),
        extensions: z
          .object({ code: z.string().optional().catch(undefined) })
          .loose()
          .optional()
          .catch(undefined),
      }),
    )
    .optional(),
})

/** @throws {AppError} `SUBGRAPH_INVALID_RESPONSE`, or the code with which the subgraph refused the whole request. */
export function readSubgraphResponse(status: number, text: string): SubgraphResponse {
  const answer = parseJson(text)
  // Most have no errors; of these there is nothing more to read.
  if (status === 200 && isObject(answer) && isObject(answer['data']) && answer['errors'] === undefined)
    return { data: answer['data'], errors: [] }
  const parsed = responseSchema.safeParse(answer)
  if (!parsed.success)
    throw new AppError(codeOfGateway[status] ?? 'SUBGRAPH_INVALID_RESPONSE', undefined, {
      cause: `${status}, not a GraphQL response`,
    })
  const { data = null, errors = [] } = parsed.data
  const [first] = errors
  if (status !== 200) {
    const code = first?.extensions?.code
    // Its database does not answer: nothing was done, and the next token may be accepted.
    if (code === 'CONTEXT_UNVERIFIABLE')
      throw new AppError('UNAVAILABLE', undefined, { cause: `answered ${status} ${code}` })
    throw new AppError(isAboutCaller(code) ? code : 'SUBGRAPH_INVALID_RESPONSE', undefined, {
      cause: `answered ${status} ${code ?? ''}`,
      ...(isAboutCaller(code) && { details: readErrorDetails(first?.extensions) }),
    })
  }
  if (data === null && first === undefined)
    throw new AppError('SUBGRAPH_INVALID_RESPONSE', undefined, { cause: 'neither data nor errors' })
  return {
    data,
    errors: errors.map(({ message, path, extensions }) => ({
      ...publicError(extensions?.code, message, extensions),
      ...(path && { path }),
    })),
  }
}

/**
 * @param entities - how many were asked for; null if none were.
 * @throws {AppError} `SUBGRAPH_INVALID_RESPONSE` unless as many were answered, or none of the request.
 */
export function requireEntities({ data }: SubgraphResponse, entities: number | null): void {
  if (entities === null || data === null) return
  const { _entities: answered } = data
  if (!Array.isArray(answered) || answered.length !== entities)
    throw new AppError('SUBGRAPH_INVALID_RESPONSE', undefined, { cause: `not ${entities} entities` })
}

/** What stands between us and a subgraph says so in its own words. */
const codeOfGateway: Readonly<Record<number, ErrorCode>> = {
  502: 'SUBGRAPH_UNAVAILABLE',
  503: 'SUBGRAPH_UNAVAILABLE',
  504: 'SUBGRAPH_TIMEOUT',
}

function publicError(code: string | undefined, message: string, extensions: unknown): Omit<SubgraphError, 'path'> {
  if (isAboutCaller(code))
    return { code, message: message || errorTable[code].message, details: readErrorDetails(extensions) }
  const own = isErrorCode(code) && code !== 'INTERNAL' ? 'SUBGRAPH_INVALID_RESPONSE' : 'INTERNAL'
  return { code: own, message: errorTable[own].message, details: {} }
}

const isErrorCode = (code: string | undefined): code is ErrorCode =>
  code !== undefined && Object.hasOwn(errorTable, code)

/** Other codes speak of the request between us and the subgraph: they are logged, not passed on. */
const isAboutCaller = (code: string | undefined): code is ErrorCode =>
  isErrorCode(code) && 'fromSubgraph' in errorTable[code]

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
