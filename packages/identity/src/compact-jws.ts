import { hash, timingSafeEqual } from 'node:crypto'
import { createHmacSha256, type HmacSha256 } from './hmac-sha256.ts'
import type { EpochKey } from './keys.ts'

/**
 * JWS Compact Serialization (RFC 7515) with HS256 only. Signing with node:crypto costs a tenth of a general
 * library's way; tests verify every token with jose, too.
 */
export interface CompactJws {
  readonly header: string
  readonly payload: string
  readonly signature: string
}

/** The protected header of our tokens, encoded. Its members and their order are fixed: nothing else is accepted. */
export const encodeHeader = (typ: string, kid: string) => encode(JSON.stringify({ typ, alg: 'HS256', kid }))

const encode = (text: string) => Buffer.from(text).toString('base64url')

/** @param claims - JSON of an object. */
export function signCompact(header: string, claims: string, hmac: HmacSha256): string {
  const input = `${header}.${encode(claims)}`
  return `${input}.${hmac(input)}`
}

/** Splits a token; null for whatever is not three parts. What they consist of, the signature tells, if it holds. */
export function splitCompact(token: string): CompactJws | null {
  const parts = token.split('.')
  if (parts.length !== 3) return null
  const [header = '', payload = '', signature = ''] = parts
  return { header, payload, signature }
}

/** Whether its parts are base64url. */
export const isCompact = ({ header, payload, signature }: CompactJws): boolean =>
  [header, payload, signature].every((part) => /^[\w-]+$/.test(part))

/**
 * Compares encoded signatures, not decoded ones: base64url has several spellings of the same bytes
 * (RFC 4648 3.5), and only one of them is accepted.
 */
export function signatureHolds({ header, payload, signature }: CompactJws, hmac: HmacSha256): boolean {
  const expected = Buffer.from(hmac(`${header}.${payload}`))
  const given = Buffer.from(signature)
  return given.length === expected.length && timingSafeEqual(given, expected)
}

/** The members of a JSON object in a token; none when it is no such object. */
export function decodeObject(part: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'))
    return isObject(value) ? value : {}
  } catch {
    return {}
  }
}

/** Each key, ready to verify with, by the one header that may announce it. */
export const keysByHeader = (typ: string, name: string, keys: readonly EpochKey[]): ReadonlyMap<string, HmacSha256> =>
  new Map(keys.map(({ epoch, key }) => [encodeHeader(typ, `${name}/${epoch}`), createHmacSha256(key)]))

/** base64url SHA-256 of a request's exact body. */
export const bodyHash = (body: Uint8Array) => hash('sha256', body, 'base64url')

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
