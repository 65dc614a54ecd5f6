import { AppError } from '@behalf/identity'
import { GraphQLError, type GraphQLFormattedError } from 'graphql'
import { describe, expect, it } from 'vitest'
import { errorBody, maskError, thrownOf, toAppError } from './mask-error.ts'

const formatted = (message: string, code: string, place: Partial<GraphQLFormattedError> = {}) =>
  ({ message, ...place, extensions: { code, stacktrace: ['at /srv'] } }) as GraphQLFormattedError
const path = ['a', 0]
const locations = [{ line: 1, column: 2 }]
const masked = { message: 'Something went wrong on our side.', extensions: { code: 'INTERNAL' } }

describe('an error that leaves the process', () => {
  it.each([
    'BAD_REQUEST',
    'BAD_USER_INPUT',
    'GRAPHQL_PARSE_FAILED',
    'GRAPHQL_VALIDATION_FAILED',
    'OPERATION_RESOLUTION_FAILURE',
  ])('is told of the request itself, and of nothing that a resolver calls so: %s', (code) => {
    const thrown = new GraphQLError('connect 10.0.0.7')
    expect(maskError(formatted('Syntax Error', code, { locations }), thrown)).toStrictEqual({
      message: 'Syntax Error',
      locations,
      extensions: { code },
    })
    expect(maskError(formatted('connect 10.0.0.7', code, { path }), thrown)).toStrictEqual({ ...masked, path })
  })

  it('is masked by any other code, with its place', () => {
    const thrown = new Error('connect 10.0.0.7')
    const codes = ['INTERNAL_SERVER_ERROR', 'UNAVAILABLE', 'NOT_FOUND']
    for (const code of codes) expect(maskError(formatted('connect 10.0.0.7', code), thrown)).toStrictEqual(masked)
    expect(maskError({ message: 'connect 10.0.0.7' }, thrown)).toStrictEqual(masked)
    const place = { path, locations }
    expect(maskError(formatted('a', 'UNAVAILABLE', place), thrown)).toEqual({ ...masked, ...place })
  })

  it('that is ours is told, with its place and its details', () => {
    const ours = new AppError('STEP_UP_REQUIRED', 'Sign in again.', { details: { maxAge: 60 }, cause: '10.0.0.7' })
    const told = { message: 'Sign in again.', extensions: { code: 'STEP_UP_REQUIRED', maxAge: 60 } }
    expect(maskError(formatted('a', 'b', { path }), new GraphQLError('a', { originalError: ours, path }))).toEqual({
      ...told,
      path,
    })
    expect(JSON.parse(errorBody(ours))).toEqual({ errors: [told] })
    expect(JSON.parse(errorBody(ours, null))).toEqual({ errors: [told], data: null })
  })

  it('is what a resolver threw, where GraphQL gave it a place, and itself otherwise', () => {
    const thrown = new AppError('NOT_FOUND')
    const placed = new GraphQLError('a', { path, originalError: thrown })
    expect(thrownOf(placed)).toBe(thrown)
    const nowhere = new GraphQLError('a', { originalError: thrown })
    const bare = new GraphQLError('a', { path })
    const alike = Object.assign(new Error('a'), { path, originalError: thrown })
    for (const itself of [nowhere, bare, alike, thrown, 'a', null]) expect(thrownOf(itself)).toBe(itself)
  })

  it('is ours, or INTERNAL with what was thrown as its cause', () => {
    const ours = new AppError('NOT_FOUND')
    expect(toAppError(ours)).toBe(ours)
    expect(toAppError('10.0.0.7')).toMatchObject({ code: 'INTERNAL', message: masked.message, cause: '10.0.0.7' })
  })
})
