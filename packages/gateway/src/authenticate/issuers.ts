import { AppError } from '@behalf/identity'
import { decodeJwt, errors } from 'jose'
import { createIssuer, type Issuer, type IssuerConfig } from './issuer.ts'

/** All issuers that are trusted. */
export interface Issuers {
  /**
   * The issuer that a token names, whose keys then have to verify it.
   *
   * @throws {AppError} `CREDENTIAL_INVALID`
   */
  of(token: string): Issuer
}

const maxTokenLength = 8192

/** @throws {TypeError} for a configuration under which nothing could be trusted. */
export function createIssuers(configs: readonly IssuerConfig[], clock = Date.now): Issuers {
  const issuers = new Map(configs.map((config) => [config.issuer, createIssuer(config, clock)]))
  if (issuers.size !== configs.length) throw new TypeError('An issuer is configured twice.')

  return {
    of(token) {
      const parts = token.split('.')
      if (token.length > maxTokenLength || parts.length !== 3) throw invalid('not a JWT of a reasonable length')
      // RFC 4648 3.5: base64url spells the same bytes in several ways. One is accepted, so that no byte can be altered.
      if (parts.some((part) => Buffer.from(part, 'base64url').toString('base64url') !== part)) throw invalid('encoding')
      const issuer = issuers.get(claimedIssuer(token))
      if (issuer === undefined) throw invalid('unknown issuer')
      return issuer
    },
  }
}

function claimedIssuer(token: string): string {
  try {
    return decodeJwt(token).iss ?? ''
  } catch (error) {
    if (error instanceof errors.JOSEError) throw invalid(error.message)
    throw error
  }
}

const invalid = (cause: string) => new AppError('CREDENTIAL_INVALID', undefined, { cause })
