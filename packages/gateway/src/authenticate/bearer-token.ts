import { AppError } from '@behalf/identity'

/** What `authenticate` reads of a request, and all that ever reads it. */
export interface CredentialSource {
  /** As node:http has them: names and values in turn, nothing joined. */
  readonly rawHeaders: readonly string[]
  readonly url: string
}

/** RFC 9110 11.1, RFC 6750 2.1 */
const bearer = /^bearer +([^\s,]+)$/i

/**
 * The one credential of a request, a bearer token in its header; null where there is none.
 *
 * @throws {AppError} `CREDENTIAL_UNSUPPORTED` for any other, and for more than one
 */
export function readBearerToken({ rawHeaders, url }: CredentialSource): string | null {
  // RFC 6750 2.3: a token in a URL ends up in logs; it is refused where others would accept or ignore it.
  const query = url.indexOf('?')
  if (query !== -1 && new URLSearchParams(url.slice(query)).has('access_token')) {
    throw new AppError('CREDENTIAL_UNSUPPORTED', 'Send the access token in the Authorization header, not in the URL.')
  }
  let value: string | undefined
  let credentials = 0
  let proofs = 0
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? ''
    if (name.length === 'dpop'.length && name.toLowerCase() === 'dpop') proofs++
    if (name.length !== 'authorization'.length || name.toLowerCase() !== 'authorization') continue
    value = rawHeaders[index + 1]
    credentials++
  }
  if (value === undefined) return null
  // RFC 9449 7.1: whoever shows a proof means a token that is not a bearer's.
  if (credentials > 1 || proofs > 0) throw new AppError('CREDENTIAL_UNSUPPORTED')
  const token = bearer.exec(value)?.[1]
  if (token === undefined) throw new AppError('CREDENTIAL_UNSUPPORTED')
  return token
}
