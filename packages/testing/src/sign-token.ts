import { createHmac, type KeyObject, sign } from 'node:crypto'

/** A JWT, decoded; whoever has the key can make any other of it. */
export interface TokenParts {
  readonly header: Readonly<Record<string, unknown>>
  readonly claims: Readonly<Record<string, unknown>>
}

export function decodeToken(token: string): TokenParts {
  const [header = '', claims = ''] = token.split('.').map((part) => Buffer.from(part, 'base64url').toString())
  return { header: JSON.parse(header) as TokenParts['header'], claims: JSON.parse(claims) as TokenParts['claims'] }
}

/** @param hash - of the HMAC; null leaves the signature empty. */
export function signToken(
  { header, claims }: TokenParts,
  key: Uint8Array | string,
  hash: string | null = 'sha256',
): string {
  const input = `${encodePart(header)}.${encodePart(claims)}`
  return `${input}.${hash === null ? '' : createHmac(hash, key).update(input).digest('base64url')}`
}

/** The input with its signature (RFC 7518 3.4). */
export function signEs256(input: string, key: KeyObject): string {
  return `${input}.${sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
}

export const encodePart = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
