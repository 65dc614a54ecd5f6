import { requireSecure } from '../authenticate/require-secure.ts'

/**
 * Of what anybody on the way could have written, nothing is served; nor is what another place says that this one names.
 *
 * @returns the URL as it may be logged: a signature may be in the rest of it
 * @throws {TypeError}
 */
export function requireGraphUrl(url: string): string {
  if (!URL.canParse(url)) throw new TypeError('The URL of the graph is none.')
  const parsed = new URL(url)
  requireSecure(parsed)
  if (parsed.username !== '' || parsed.password !== '')
    throw new TypeError(`There is a credential in the URL of the graph at ${parsed.host}. Give it as a token.`)
  return `${parsed.origin}${parsed.pathname}`
}
