import { createHmac } from 'node:crypto'

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

export const encodePart = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
