import { AppError, type ErrorCode, errorTable } from '@behalf/identity'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { challengeOf } from './challenge.ts'

const challenge = (...[code, message, options]: ConstructorParameters<typeof AppError>) =>
  challengeOf(new AppError(code, message, options))

/** RFC 9110 11.4 and 5.6.4, read strictly; null for what is not a challenge of the scheme Bearer. */
function parametersOf(challengeText: string | null): Record<string, string> | null {
  const text = challengeText ?? ''
  const parameter = /([a-z_]+)="((?:[\t \x21\x23-\x5b\x5d-\x7e]|\\[\t\x20-\x7e])*)"/y
  const found: Record<string, string> = {}
  let rest = /^Bearer(?: |$)/.exec(text)?.[0].length ?? NaN
  if (Number.isNaN(rest)) return null
  while (rest < text.length) {
    parameter.lastIndex = rest
    const match = parameter.exec(text)
    if (match === null || found[match[1] ?? ''] !== undefined) return null
    found[match[1] ?? ''] = (match[2] ?? '').replaceAll(/\\(.)/g, '$1')
    rest = parameter.lastIndex
    if (rest < text.length && !text.startsWith(', ', rest)) return null
    rest += 2
  }
  return found
}

describe('a challenge (RFC 6750 3)', () => {
  it('says nothing of an error to whoever showed no credential', () => {
    expect(challenge('UNAUTHENTICATED')).toBe('Bearer')
  })

  it('says that a token is not valid', () => {
    expect(challenge('CREDENTIAL_INVALID')).toBe(
      'Bearer error="invalid_token", error_description="The access token is not valid."',
    )
    expect(parametersOf(challenge('SESSION_ENDED'))).toEqual({
      error: 'invalid_token',
      error_description: 'The session of this access token has ended. Sign in again.',
    })
  })

  it('says how a token has to be sent, without a quote in the description', () => {
    expect(challenge('CREDENTIAL_UNSUPPORTED')).toBe(
      `Bearer error="invalid_request", error_description="Send one access token as 'Authorization: Bearer ...'."`,
    )
  })

  it('names the scopes of the shortest way to pass', () => {
    const requiredScopes = [
      ['a:read', 'b:read', 'c:read'],
      ['d:read', 'e:read'],
      ['f:read', 'g:read'],
    ]
    expect(parametersOf(challenge('UNAUTHORIZED_FIELD_OR_TYPE', 'No.', { details: { requiredScopes } }))).toEqual({
      error: 'insufficient_scope',
      error_description: 'No.',
      scope: 'd:read e:read',
    })
    expect(challenge('UNAUTHORIZED_FIELD_OR_TYPE')).toBeNull()
  })

  it('names how the user has to sign in (RFC 9470 3)', () => {
    expect(challenge('STEP_UP_REQUIRED', 'Again.', { details: { acrValues: ['urn:mfa', 'phr'], maxAge: 300 } })).toBe(
      'Bearer error="insufficient_user_authentication", error_description="Again.", acr_values="urn:mfa phr", max_age="300"',
    )
    expect(parametersOf(challenge('STEP_UP_REQUIRED', 'Now.', { details: { maxAge: 0 } }))).toEqual({
      error: 'insufficient_user_authentication',
      error_description: 'Now.',
      max_age: '0',
    })
  })

  it('says where the resource is described (RFC 9728 5.1)', () => {
    const url = 'https://api.example/.well-known/oauth-protected-resource/graphql'
    expect(challengeOf(new AppError('UNAUTHENTICATED'), url)).toBe(`Bearer resource_metadata="${url}"`)
    expect(parametersOf(challengeOf(new AppError('CREDENTIAL_INVALID'), url))).toMatchObject({
      error: 'invalid_token',
      resource_metadata: url,
    })
  })

  it('is made of no refusal that another credential would not mend', () => {
    const made = Object.keys(errorTable).filter((code) => challenge(code as ErrorCode) !== null)
    expect(made).toEqual([
      'CREDENTIAL_INVALID',
      'CREDENTIAL_UNSUPPORTED',
      'SESSION_ENDED',
      'UNAUTHENTICATED',
      'STEP_UP_REQUIRED',
    ])
  })

  it('can be read back, whatever is in it, and ends no header', () => {
    const texts = fc.array(fc.string({ unit: 'binary', minLength: 1 }), { minLength: 1, maxLength: 3 })
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), texts, fc.nat(), fc.string(), (message, acrValues, maxAge, url) => {
        const error = new AppError('STEP_UP_REQUIRED', message, { details: { acrValues, maxAge } })
        const printable = (text: string) => text.replaceAll(/[^\x20-\x7e]/g, '?')
        expect(parametersOf(challengeOf(error, url))).toEqual({
          error: 'insufficient_user_authentication',
          error_description: printable(message).replaceAll('"', "'").replaceAll('\\', '/'),
          acr_values: printable(acrValues.join(' ')),
          max_age: String(maxAge),
          resource_metadata: printable(url),
        })
      }),
      { examples: [['"\r\nSet-Cookie: a', ['\\"', '"'], 1, '"\\']] },
    )
  })
})
