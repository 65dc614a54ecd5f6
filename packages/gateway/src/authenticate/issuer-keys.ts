import { AppError } from '@behalf/identity'
import { createLocalJWKSet, errors, type JWTVerifyGetKey } from 'jose'
import { z } from 'zod'
import type { fetchBounded } from './fetch-bounded.ts'

type Fetch = (location: string) => ReturnType<typeof fetchBounded>

const metadata = z.object({ issuer: z.string(), jwks_uri: z.url() })
const keySet = z.object({ keys: z.array(z.record(z.string(), z.unknown())) })

/** Milliseconds: keys are read anew after `fresh`, used no longer than `stale`, and not asked for more often than `pause`. */
const age = { fresh: 600_000, stale: 3_600_000, pause: 5000 } as const

/**
 * The keys of an issuer, found by OpenID Connect Discovery 1.0 at first use, so that a gateway can start before its
 * provider. A key that is not there is looked for once, not by every request that names it; while the provider is
 * down, known keys serve for an hour, and nobody waits for it more often than every five seconds.
 *
 * @returns what jose asks for a key; throws {@link AppError} `ISSUER_UNAVAILABLE` where the keys cannot be read, and
 *   jose's error where they hold none for this token.
 */
export function createIssuerKeys(issuer: string, fetch: Fetch, clock: () => number): JWTVerifyGetKey {
  let keys: JWTVerifyGetKey | null = null
  let readAt = -Infinity
  let triedAt = -Infinity
  let failure: unknown = null
  let reading: Promise<void> | null = null

  /** Never throws: what went wrong is kept as `failure`. */
  async function readNow(): Promise<void> {
    try {
      keys = await readKeySet(issuer, fetch)
      readAt = clock()
      failure = null
    } catch (cause) {
      failure = cause
    }
    triedAt = clock()
    reading = null
  }

  /** Ends when the keys were read or could not be; at once when that was tried a moment ago. */
  async function read(): Promise<void> {
    if (reading === null && clock() - triedAt < age.pause) return
    reading ??= readNow()
    await reading
  }

  return async (header, token) => {
    const known = clock() - readAt
    if (known >= age.stale) await read()
    else if (known >= age.fresh) void read()
    if (keys === null || clock() - readAt >= age.stale) throw unavailable(failure)
    try {
      return await keys(header, token)
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw aboutKeys(error)
      await read()
      // Whether the issuer has such a key cannot be told while it does not answer.
      if (failure !== null) throw unavailable(failure)
      return await keys(header, token)
    }
  }
}

async function readKeySet(issuer: string, fetch: Fetch): Promise<JWTVerifyGetKey> {
  const location = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
  const found = metadata.parse(await readJson(location, fetch))
  // OpenID Connect Discovery 4.3: the document of another issuer must not vouch for this one.
  if (found.issuer !== issuer) throw new Error(`${location} is about another issuer`)
  return createLocalJWKSet(keySet.parse(await readJson(found.jwks_uri, fetch)))
}

async function readJson(location: string, fetch: Fetch): Promise<unknown> {
  const { status, text } = await fetch(location)
  if (status !== 200) throw new Error(`${location} answered ${status}`)
  return JSON.parse(text)
}

/** A token can name a key that is not there, or name none where there are several; any other error is about the keys. */
const aboutKeys = (error: unknown) =>
  error instanceof errors.JWKSMultipleMatchingKeys || error instanceof errors.JOSENotSupported
    ? error
    : unavailable(error)

const unavailable = (cause: unknown) => new AppError('ISSUER_UNAVAILABLE', undefined, { cause })
