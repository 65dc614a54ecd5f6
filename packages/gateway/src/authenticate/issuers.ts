import { AppError } from '@behalf/identity'
import { decodeJwt } from 'jose'
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
  const issuers = new Map<unknown, Issuer>(configs.map((config) => [config.issuer, createIssuer(config, clock)]))
  if (issuers.size !== configs.length) throw new TypeError('An issuer is configured twice.')

  return {
    of(token) {
      if (token.length > maxTokenLength) throw invalid('of no reasonable length')
      // RFC 4648 3.5: base64url spells the same bytes in several ways. One is accepted, so that no byte can be altered.
      const isAltered = (part: string) => Buffer.from(part, 'base64url').toString('base64url') !== part
      if (token.split('.').some(isAltered)) throw invalid('encoding')
      const issuer = issuers.get(claimedIssuer(token))
      if (issuer === undefined) throw invalid('unknown issuer')
      return issuer
    },
  }
}

function claimedIssuer(token: string): unknown {
  try {
    return decodeJwt(token).iss
  } catch {
    throw invalid('not a JWT')
  }
}

const invalid = (cause: string) => new AppError('CREDENTIAL_INVALID', undefined, { cause })
