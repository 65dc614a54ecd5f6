import { AppError, isEndedBy, type Principal, type Revocable, type Revocations, type Revoked } from '@behalf/identity'
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
  const open = new Map<(reason: AppError) => void, Revocable>()
  /** By whatever can be ended: a revocation looks at those it is about, however many others there are. */
  const byName = new Map<string, Set<(reason: AppError) => void>>()
  let closed = false

  const forget = revocations.onRevoked((revocation) => {
    for (const end of byName.get(nameOf(revocation.revoked)) ?? []) {
      const credential = open.get(end)
      if (credential && isEndedBy(credential, revocation)) end(new AppError('SESSION_ENDED'))
    }
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
      const { issuer, subject, session, issuedAt, actor } = principal
      const credential = { issuer, subject, session, issuedAt, delegation: actor?.delegation ?? null }
      open.set(end, credential)
      const names = namesOf(credential)
      for (const name of names) byName.set(name, (byName.get(name) ?? new Set()).add(end))
      return () => {
        open.delete(end)
        for (const name of names) {
          const ends = byName.get(name)
          ends?.delete(end)
          if (ends?.size === 0) byName.delete(name)
        }
      }
    },
    close() {
      closed = true
      clearInterval(timer)
      forget()
      for (const end of open.keys()) end(stopping())
    },
  }
}

function nameOf(revoked: Revoked): string {
  switch (revoked.kind) {
    case 'subject':
      return `subject ${revoked.subject}`
    case 'session':
      return `session ${revoked.issuer} ${revoked.session}`
    case 'delegation':
      return `delegation ${revoked.delegation}`
  }
}

/** What would end it: of issuers, of which one or all may end a subject, is said nothing. */
function namesOf({ issuer, subject, session, delegation }: Revocable): string[] {
  return [
    nameOf({ kind: 'subject', issuer: null, subject }),
    ...(session === null || issuer === null ? [] : [nameOf({ kind: 'session', issuer, session })]),
    ...(delegation === null ? [] : [nameOf({ kind: 'delegation', delegation })]),
  ]
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
