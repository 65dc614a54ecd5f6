import { AppError, isEndedBy, type Principal, type Revocations } from '@behalf/identity'
import type { RevocationGuard } from '../revocation/revocation-guard.ts'

/** The streams of this process, so that whatever ends a caller ends what they listen to. */
export interface OpenStreams {
  /** How many there are. */
  readonly count: number
  /**
   * @param end - told why it is over, perhaps more than once
   * @returns how to forget it
   * @throws {AppError} why it may not begin
   */
  add(principal: Principal, end: (reason: AppError) => void): () => void
  /** Ends all of them, and lets none begin. */
  close(): void
}

/** Milliseconds after which it is asked again whether revocations are known. */
const lookEveryMs = 250

export function createOpenStreams(options: {
  readonly guard: RevocationGuard
  readonly revocations: Revocations
}): OpenStreams {
  const { guard, revocations } = options
  const open = new Map<(reason: AppError) => void, Principal>()
  let closed = false

  const forget = revocations.onRevoked((revocation) => {
    for (const [end, principal] of open)
      if (isEndedBy({ ...principal, delegation: principal.actor?.delegation ?? null }, revocation))
        end(new AppError('SESSION_ENDED'))
  })
  const timer = setInterval(() => {
    const unknown = refusalOf(() => guard.requireFresh())
    if (unknown) for (const [end, { issuer }] of open) if (issuer !== null) end(unknown)
  }, lookEveryMs).unref()

  return {
    get count() {
      return open.size
    },
    add(principal, end) {
      if (closed) throw stopping()
      // Once more: it was asked before the operation was looked at, and from here on it is heard of.
      guard.requireInForce(principal)
      if (principal.issuer !== null) guard.requireFresh()
      open.set(end, principal)
      return () => void open.delete(end)
    },
    close() {
      closed = true
      clearInterval(timer)
      forget()
      for (const end of open.keys()) end(stopping())
    },
  }
}

const stopping = () => new AppError('UNAVAILABLE', 'This gateway is stopping. Subscribe again.')

function refusalOf(check: () => void): AppError | null {
  try {
    check()
    return null
  } catch (error) {
    if (error instanceof AppError) return error
    throw error
  }
}
