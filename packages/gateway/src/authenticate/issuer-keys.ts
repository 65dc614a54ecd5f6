import { AppError } from '@behalf/identity'
import { type CryptoKey, errors } from 'jose'
import { z } from 'zod'
import type { FetchedDocument } from './fetch-bounded.ts'
import { createKeySet, type FindKey, type KeySet } from './key-set.ts'
import { requireSecure } from './require-secure.ts'

type Fetch = (location: string) => Promise<Pick<FetchedDocument, 'status' | 'text'>>

const metadata = z.object({ issuer: z.string(), jwks_uri: z.url() })
const jwks = z.object({ keys: z.array(z.record(z.string(), z.unknown())) })

/**
 * Milliseconds. Keys older than `fresh` are read anew behind the back of whoever uses them. When it is longer than
 * `certain` since they were read, or since that was last tried, the reader is waited for: so a key that was taken
 * away serves for a minute at most. While they cannot be read, known ones serve until they are `stale`.
 */
const age = { fresh: 30_000, certain: 60_000, stale: 3_600_000 } as const
/** Milliseconds between two reads, and after failures, each of which doubles it. */
const pause = { afterSuccess: 5000, afterFailure: 1000, most: 30_000 } as const

export interface IssuerKeys {
  /**
   * The key that a token names. One that is not there is looked for once, not by every request that names it. Throws
   * {@link AppError} `ISSUER_UNAVAILABLE`, and jose's error where there is none for this token.
   */
  readonly find: FindKey
  /**
   * Whether a key that was found is still one of the issuer's.
   *
   * @throws {AppError} `ISSUER_UNAVAILABLE`
   */
  holds(key: CryptoKey): boolean | Promise<boolean>
}

/**
 * The keys of an issuer, found by OpenID Connect Discovery 1.0 at first use, so that a gateway can start before its
 * provider.
 *
 * @param algorithms - those accepted of this issuer, the preferred first
 */
export function createIssuerKeys({
  issuer,
  algorithms,
  fetch,
  clock,
  random = Math.random,
}: {
  readonly issuer: string
  readonly algorithms: readonly string[]
  readonly fetch: Fetch
  readonly clock: () => number
  /** Of [0, 1): spreads the attempts of several gateways. */
  readonly random?: () => number
}): IssuerKeys {
  let known = createKeySet([], algorithms)
  let readAt = -Infinity
  let triedAt = -Infinity
  let failure: unknown = null
  let failures = 0
  let wait = 0
  let reading: Promise<void> | null = null

  /** Never throws: what went wrong is kept as `failure`. */
  async function readNow(): Promise<void> {
    const began = clock()
    try {
      const found = createKeySet(await readKeys(issuer, fetch), algorithms)
      if (known.text !== found.text) known = found
      readAt = began
      failure = null
      failures = 0
    } catch (cause) {
      failure = cause
      failures++
    }
    triedAt = clock()
    wait = failures === 0 ? pause.afterSuccess : backoff(failures, random())
    reading = null
  }

  /** Ends when the keys were read or could not be; at once when that was tried a moment ago. */
  async function read(): Promise<void> {
    if (clock() - triedAt < wait) return
    reading ??= readNow()
    await reading
  }

  function usable(): KeySet {
    if (clock() - readAt >= age.stale) throw unavailable(failure)
    return known
  }

  async function current(): Promise<KeySet> {
    const now = clock()
    if (now - readAt < age.fresh) return usable()
    const reread = read()
    if (now - readAt >= age.stale || now - Math.max(readAt, triedAt) >= age.certain) await reread
    return usable()
  }

  return {
    async find(...token) {
      try {
        return await findIn(await current(), token)
      } catch (error) {
        if (!(error instanceof errors.JWKSNoMatchingKey)) throw error
        await read()
        // Whether the issuer has such a key cannot be told while it does not answer.
        if (failure !== null) throw unavailable(failure)
        return findIn(usable(), token)
      }
    },
    holds: (key) => (clock() - readAt < age.fresh ? known.holds(key) : current().then((keys) => keys.holds(key))),
  }
}

/** Exponential, and between half and all of it. */
const backoff = (failures: number, random: number) =>
  Math.min(pause.afterFailure * 2 ** (failures - 1), pause.most) * (0.5 + random / 2)

async function readKeys(issuer: string, fetch: Fetch) {
  const location = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
  const found = metadata.parse(await readJson(location, fetch))
  // OpenID Connect Discovery 4.3: the document of another issuer must not vouch for this one.
  if (found.issuer !== issuer) throw new Error(`${location} is about another issuer`)
  // An issuer elsewhere must not have us read what is on this machine.
  requireSecure(new URL(found.jwks_uri), { loopback: !issuer.startsWith('https:') })
  return jwks.parse(await readJson(found.jwks_uri, fetch)).keys
}

async function readJson(location: string, fetch: Fetch): Promise<unknown> {
  const { status, text } = await fetch(location)
  if (status !== 200) throw new Error(`${location} answered ${status}`)
  return JSON.parse(text)
}

/** A token can name a key that is not there, or name none where there are several; any other error is about the keys. */
async function findIn({ find }: KeySet, token: Parameters<FindKey>): Promise<CryptoKey> {
  try {
    return await find(...token)
  } catch (error) {
    const aboutToken = error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys
    throw aboutToken ? error : unavailable(error)
  }
}

const unavailable = (cause: unknown) => new AppError('ISSUER_UNAVAILABLE', undefined, { cause })
