import type { Policy } from './policy.ts'

/** Seconds by which the clock of an issuer may be ahead of ours. */
const clockTolerance = 60

/**
 * A policy: the user signed in at most this many seconds ago (`auth_time`). Whoever did not, or whose token does not
 * say, is asked to sign in again (RFC 9470, `max_age`).
 *
 * @param seconds - a whole number, at least 1.
 * @param clock - milliseconds since the epoch.
 * @throws {TypeError} where `seconds` is no such number.
 */
export function signedInWithin(seconds: number, clock: () => number = Date.now): Policy {
  if (!Number.isSafeInteger(seconds) || seconds < 1)
    throw new TypeError(`signedInWithin takes a whole number of seconds, not ${seconds}.`)
  return ({ caller: { authTime } }) => {
    const age = authTime === null ? null : Math.floor(clock() / 1000) - authTime
    return age !== null && age <= seconds && age >= -clockTolerance ? true : { maxAge: seconds }
  }
}

/**
 * A policy: the user signed in in one of these ways (`acr`), such as with a second factor. Whoever did not is asked to
 * (RFC 9470, `acr_values`).
 *
 * @throws {TypeError} where there are none.
 */
export function signedInAs(acrValues: readonly string[]): Policy {
  if (acrValues.length === 0) throw new TypeError('signedInAs takes at least one value of "acr".')
  return ({ caller: { acr } }) => (acr !== null && acrValues.includes(acr) ? true : { acrValues })
}
