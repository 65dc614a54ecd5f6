import { AppError, type Principal } from '@behalf/identity'
import { LRUCache } from 'lru-cache'
import type { RequestAudit } from '../audit/audit-requests.ts'
import { ignoredHeaders } from '../audit/ignored-headers.ts'
import type { Authenticate } from '../authenticate/authenticate.ts'
import type { Resource } from '../authenticate/issuer.ts'
import { clientAddress } from '../limits/client-address.ts'
import type { LimitedCaller, RateLimits } from '../limits/rate-limits.ts'
import type { RevocationGuard } from '../revocation/revocation-guard.ts'
import type { ClientRequest } from './client-request.ts'

/**
 * Who calls, if they may call at all: known, not ended, and within what is theirs to ask.
 *
 * @throws {AppError} what `authenticate` throws; `SESSION_ENDED`, `REVOCATIONS_UNKNOWN`, `RATE_LIMITED`
 */
export type Admit = (request: ClientRequest, resource: Resource) => Promise<LimitedCaller>

/** The one door for requests with a credential of a user's, or with none. */
export function createAdmission(options: {
  readonly authenticate: Authenticate
  readonly guard: RevocationGuard
  readonly rates: RateLimits
  readonly audit: Pick<RequestAudit, 'refused'>
}): Admit {
  const { authenticate, guard, rates, audit } = options
  /** As connections have them: reading one takes longer than finding it. */
  const addresses = new LRUCache<string, string>({ max: 1000 })
  function addressOf(ip: string): string {
    let address = addresses.get(ip)
    if (address === undefined) addresses.set(ip, (address = clientAddress(ip)))
    return address
  }

  return async (request, resource) => {
    const { rawHeaders } = request.raw
    const address = addressOf(request.ip)
    let principal: Principal | null = null
    try {
      principal = await authenticate({ rawHeaders, url: request.url }, resource)
      guard.requireInForce(principal)
      const caller = { principal, address }
      const taken = rates.request(caller)
      if (taken) await taken
      return caller
    } catch (error) {
      if (!(error instanceof AppError)) throw error
      audit.refused(error.code, ignoredHeaders(rawHeaders), principal)
      if (error.status === 401) await rates.refusedCredential(address)
      throw error
    }
  }
}
