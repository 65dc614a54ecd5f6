import { AppError } from '@behalf/identity'
import type { ClientRequest } from './client-request.ts'

const loopback = ['localhost', '127.0.0.1', '[::1]']

/** @throws {AppError} `ORIGIN_REFUSED` */
export type RequireOwnHost = (request: Pick<ClientRequest, 'headers'>) => void

/**
 * Keeps out web pages of other origins, and pages whose name was made to resolve to this server (DNS rebinding), as MCP
 * 2026-07-28 has it (Streamable HTTP, security). Programs send no `Origin`.
 *
 * @param resource - URL by which clients know what they ask
 */
export function createRequireOwnHost({ hostname }: URL): RequireOwnHost {
  const own = loopback.includes(hostname) ? loopback : [hostname]
  const isOwn = (url: string) => own.includes(URL.parse(url)?.hostname ?? '')
  /** Found to be own the last time: nearly all say the same. */
  let known: string | undefined

  return ({ headers: { host = '', origin } }) => {
    if (host !== known) {
      if (!isOwn(`http://${host}`)) throw new AppError('ORIGIN_REFUSED', undefined, { cause: 'another host' })
      known = host
    }
    if (origin !== undefined && !(isOwn(origin) && /^https?:/.test(origin)))
      throw new AppError('ORIGIN_REFUSED', undefined, { cause: 'another origin' })
  }
}
