import { AppError } from '@behalf/identity'
import type { LimitedCaller } from './rate-limits.ts'

/** Streams that may be open at one gateway at the same time. */
export interface StreamLimits {
  /** Of each subject. Default 20. */
  readonly user: number
  /** Of each client address, without a credential. Default 20. */
  readonly anonymous: number
  /** Of everybody. Default 10,000. */
  readonly all: number
}

const defaultStreamLimits: StreamLimits = { user: 20, anonymous: 20, all: 10_000 }

/**
 * Counts a stream as open.
 *
 * @returns how to count it as closed
 * @throws {AppError} `RATE_LIMITED`; `UNAVAILABLE` where all that may be are open
 */
export type TakeStream = (caller: LimitedCaller) => () => void

export function createStreamLimits(given: Partial<StreamLimits>): TakeStream {
  const limits = { ...defaultStreamLimits, ...given }
  const open = new Map<string, { streams: number }>()
  let all = 0

  return ({ principal: { tenant, subject }, address }) => {
    const [key, most, whose] =
      tenant === null
        ? ([`address ${address}`, limits.anonymous, 'address'] as const)
        : ([`user ${subject}`, limits.user, 'user'] as const)
    const ofCaller = open.get(key) ?? { streams: 0 }
    if (ofCaller.streams >= most)
      throw new AppError('RATE_LIMITED', `This ${whose} has ${most} streams open, which is the most.`)
    if (all >= limits.all) throw new AppError('UNAVAILABLE', undefined, { cause: `${all} streams are open` })
    open.set(key, ofCaller)
    ofCaller.streams++
    all++
    return () => {
      ofCaller.streams--
      if (ofCaller.streams === 0) open.delete(key)
      all--
    }
  }
}
