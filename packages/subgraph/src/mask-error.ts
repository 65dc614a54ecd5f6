import { AppError, type ErrorCode, errorTable, readErrorDetails } from '@behalf/identity'
import { GraphQLError, type GraphQLFormattedError } from 'graphql'

/** Body of an answer where the whole request failed. */
export function errorBody(error: AppError, data?: null): string {
  return JSON.stringify({ errors: [{ message: error.message, extensions: extensionsOf(error) }], data })
}

/** Whatever was thrown, as something that may be seen. */
export function toAppError(thrown: unknown): AppError {
  return thrown instanceof AppError ? thrown : new AppError('INTERNAL', undefined, { cause: thrown })
}

/** What a resolver threw, of an error that GraphQL gave its place; any other as it is. */
export const thrownOf = (error: unknown): unknown =>
  error instanceof GraphQLError && error.path !== undefined ? (error.originalError ?? error) : error

/**
 * An error as it leaves the process. What our code throws as an {@link AppError} is public; so is what GraphQL says
 * of the request itself, before any resolver ran. Everything else may carry anything, and becomes `INTERNAL`.
 */
export function maskError(formatted: GraphQLFormattedError, thrown: unknown): GraphQLFormattedError {
  const { path, locations } = formatted
  const place = { ...(locations && { locations }), ...(path && { path }) }
  const error = thrownOf(thrown)
  if (error instanceof AppError) return { message: error.message, ...place, extensions: extensionsOf(error) }
  const code = formatted.extensions?.['code']
  if (path === undefined && isRequestError(code)) return { message: formatted.message, ...place, extensions: { code } }
  return { message: errorTable.INTERNAL.message, ...place, extensions: { code: 'INTERNAL' } }
}

const extensionsOf = ({ code, details }: AppError) => ({ code, ...readErrorDetails(details) })

/** Codes of requests that are not executed. */
const requestErrors: ReadonlySet<unknown> = new Set<ErrorCode>([
  'BAD_REQUEST',
  'BAD_USER_INPUT',
  'GRAPHQL_PARSE_FAILED',
  'GRAPHQL_VALIDATION_FAILED',
  'OPERATION_RESOLUTION_FAILURE',
])

const isRequestError = (code: unknown): code is ErrorCode => requestErrors.has(code)
