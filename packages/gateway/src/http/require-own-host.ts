import { AppError } from '@behalf/identity'
import type { ClientRequest } from './client-request.ts'

const loopback = ['localhost', '127.0.0.1', '[::1]']

/**
 * Keeps out web pages of other origins, and pages whose name was made to resolve to this server (DNS rebinding), as MCP
 * 2026-07-28 has it (Streamable HTTP, security). Programs send no `Origin`.
 *
 * @param resource - URL by which clients know what they ask
 * @throws {AppError} `ORIGIN_REFUSED`
 */
export function requireOwnHost({ headers: { host = '', origin } }: ClientRequest, resource: URL): void {
  const own = loopback.includes(resource.hostname) ? loopback : [resource.hostname]
  const isOwn = (url: string) => own.includes(URL.parse(url)?.hostname ?? '')
  if (!isOwn(`http://${host}`)) throw new AppError('ORIGIN_REFUSED', undefined, { cause: 'another host' })
  if (origin !== undefined && !(isOwn(origin) && /^https?:/.test(origin)))
    throw new AppError('ORIGIN_REFUSED', undefined, { cause: 'another origin' })
}
