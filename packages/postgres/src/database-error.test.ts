import { AppError } from '@behalf/identity'
import pg from 'pg'
import { describe, expect, it } from 'vitest'
import { asAppError, isConnectionLost } from './database-error.ts'

function failure(code: string | undefined, severity = 'ERROR'): pg.DatabaseError {
  return Object.assign(new pg.DatabaseError('failed', 6, 'error'), { code, severity })
}

describe('an error of the database', () => {
  it.each([
    ['08006', 'ERROR'],
    ['57P01', 'FATAL'],
    ['57P03', 'ERROR'],
    ['25P03', 'ERROR'],
    ['28P01', 'FATAL'],
  ])('%s (%s) loses the connection, and may pass', (code, severity) => {
    const error = failure(code, severity)
    expect(isConnectionLost(error)).toBe(true)
    expect(asAppError(error)).toMatchObject({ code: 'UNAVAILABLE', cause: error })
  })

  it.each(['40001', '40P01', '55P03', '57014', '53300'])('%s may pass, on the same connection', (code) => {
    const error = failure(code)
    expect(isConnectionLost(error)).toBe(false)
    expect(asAppError(error)).toMatchObject({ code: 'UNAVAILABLE', cause: error })
  })

  it.each(['22012', '23505', '25P02', '42501', '40002', '50853', undefined])('%s is itself', (code) => {
    const error = failure(code)
    expect(isConnectionLost(error)).toBe(false)
    expect(asAppError(error)).toBe(error)
  })

  it('22021 is of what the user gave', () => {
    const error = failure('22021')
    expect(asAppError(error)).toMatchObject({ code: 'BAD_USER_INPUT', cause: error })
  })

  it('is known by its code only where it is of its protocol', () => {
    const error = Object.assign(new Error('of another kind'), { code: '22021' })
    expect(asAppError(error)).toMatchObject({ code: 'UNAVAILABLE', cause: error })
  })

  it('that is not of its protocol says nothing of what became of the connection', () => {
    const error = new Error('read ECONNRESET')
    expect(isConnectionLost(error)).toBe(true)
    expect(asAppError(error)).toMatchObject({ code: 'UNAVAILABLE', cause: error })
  })

  it('stays what it was made of', () => {
    const error = new AppError('OUTCOME_UNKNOWN')
    expect(asAppError(error)).toBe(error)
  })
})
