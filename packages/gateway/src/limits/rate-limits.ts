import { AppError, type Principal } from '@behalf/identity'
import type { Limit, Limiter, TakeAnswer } from '../authority.ts'

/** What may be asked for in a minute; null is no limit. */
export interface CallerLimits {
  readonly requests: number | null
  /** Sum of the costs of operations. */
  readonly cost: number | null
}

export interface RateLimitOptions {
  /** Of each subject, agents with their tokens and delegations included. Default: 1,200 requests, cost 200,000, 300 tool calls. */
  readonly user?: Partial<CallerLimits & { readonly toolCalls: number | null }>
  /** Of all users of each tenant together. Default: 12,000 requests, cost 2,000,000. */
  readonly tenant?: Partial<CallerLimits>
  /**
   * Of each client address, of callers without a credential: an IPv4 address, or an IPv6 network of 64 bits. A credential
   * that is refused counts, too. Default: 1,200 requests, cost 200,000, 300 refused credentials.
   */
  readonly anonymous?: Partial<CallerLimits & { readonly refusedCredentials: number | null }>
}

/**
 * Every method throws AppError `RATE_LIMITED`, with the seconds to wait, where a limit is used up; at once, or by its
 * promise, where somebody has to be asked.
 */
export interface RateLimits {
  request(caller: LimitedCaller): Promise<void> | void
  cost(caller: LimitedCaller, cost: number): Promise<void> | void
  toolCall(principal: Principal): Promise<void> | void
  refusedCredential(address: string): Promise<void>
}

export interface LimitedCaller {
  readonly principal: Principal
  /** As `clientAddress` has it; null for one that has a credential, or a delegation. */
  readonly address: string | null
}

export const defaultRateLimits = {
  user: { requests: 1200, cost: 200_000, toolCalls: 300 },
  tenant: { requests: 12_000, cost: 2_000_000 },
  anonymous: { requests: 1200, cost: 200_000, refusedCredentials: 300 },
} satisfies RateLimitOptions

/** @throws {TypeError} if a single operation could cost more than a caller may ask for in a minute. */
export function createRateLimits(options: {
  readonly limiter: Limiter
  readonly limits: RateLimitOptions
  /** Of one operation. */
  readonly maxCost: number
}): RateLimits {
  const { limiter, limits, maxCost } = options
  const user = limitsOf('user', { ...defaultRateLimits.user, ...limits.user })
  const tenant = limitsOf('tenant', { ...defaultRateLimits.tenant, ...limits.tenant })
  const address = limitsOf('address', { ...defaultRateLimits.anonymous, ...limits.anonymous })
  for (const { cost } of [user, tenant, address])
    if (cost && cost.points < maxCost)
      throw new TypeError(
        `One operation may cost ${maxCost}, and ${cost.name} is ${cost.points} a minute: it would never pass.`,
      )

  function take(limit: Limit | null, key: string, points = 1): Promise<void> | void {
    if (limit === null) return undefined
    const answer = limiter.take(limit, key, points)
    return answer instanceof Promise ? answer.then((taken) => requireTaken(limit, taken)) : requireTaken(limit, answer)
  }

  function requireTaken(limit: Limit, answer: TakeAnswer): void {
    if (answer.ok) return
    const retryAfter = Math.max(1, Math.ceil(answer.retryAfterMs / 1000))
    const [of = '', what = ''] = limit.name.split('.')
    const used = `The limit of ${wordsFor[what] ?? what} by this ${of} is used up: ${limit.points} a minute.`
    throw new AppError('RATE_LIMITED', `${used} Try again in ${retryAfter} s.`, { details: { retryAfter } })
  }

  function takeFor(caller: LimitedCaller, what: keyof CallerLimits, points?: number): Promise<void> | void {
    const { subject, tenant: organisation } = caller.principal
    if (organisation === null) return take(address[what], caller.address ?? 'unknown', points)
    const ofUser = take(user[what], subject, points)
    const takeOfTenant = () => take(tenant[what], organisation, points)
    return ofUser instanceof Promise ? ofUser.then(takeOfTenant) : takeOfTenant()
  }

  return {
    request: (caller) => takeFor(caller, 'requests'),
    cost: (caller, cost) => takeFor(caller, 'cost', cost),
    toolCall: ({ subject }) => take(user.toolCalls, subject),
    refusedCredential: async (from) => take(address.refusedCredentials, from),
  }
}

function limitsOf<Name extends string>(of: string, points: Readonly<Record<Name, number | null>>) {
  const entries = Object.entries<number | null>(points).map(([what, most]) => [
    what,
    most === null ? null : { name: `${of}.${what}`, points: most, seconds: 60 },
  ])
  return Object.fromEntries(entries) as Readonly<Record<Name, Limit | null>>
}

const wordsFor: Readonly<Record<string, string>> = {
  cost: 'query cost',
  toolCalls: 'tool calls',
  refusedCredentials: 'refused credentials',
}
