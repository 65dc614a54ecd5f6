import { AppError, isEndedBy, type Principal, type Revocable, type Revocations, type Revoked } from '@behalf/identity'
import type { RevocationGuard } from '../revocation/revocation-guard.ts'
import { inSlices } from './in-slices.ts'

/** What lasts, for a caller who may be ended. */
export interface OpenStream {
  readonly principal: Principal
  /** When it is over by itself, in seconds since the epoch; null for never. */
  readonly until: number | null
  /** From now on nothing comes of it any more. May be told again: what it was told first holds. */
  refuse(reason: AppError): void
  /** Once it was refused, and soon after: says so, and lets go of all it has. */
  close(): void
}

/** The streams of this process, so that whatever ends a caller ends what they listen to. */
export interface OpenStreams<Stream extends OpenStream = OpenStream> extends Iterable<Stream> {
  /** How many there are. */
  readonly count: number
  /** @throws {AppError} why it may not begin */
  add(stream: Stream): void
  forget(stream: Stream): void
  /** Ends all of them, and lets none begin. */
  close(): void
}

/** Milliseconds after which it is looked which are over, and asked again whether revocations are known. */
const lookEveryMs = 250

/**
 * However many are ended by one thing, the first moment refuses all of them; they are closed some at a time, since that
 * takes longer, and others are not to wait for it.
 */
export function createOpenStreams<Stream extends OpenStream = OpenStream>(options: {
  readonly guard: RevocationGuard
  readonly revocations: Revocations
  readonly clock?: () => number
}): OpenStreams<Stream> {
  const { guard, revocations, clock = Date.now } = options
  const open = new Set<Stream>()
  /** By whatever can be ended: a revocation looks at those it is about, however many others there are. */
  const byName = new Map<string, Set<Stream>>()
  const byUntil = new Map<number | null, Set<Stream>>()
  let closed = false

  function end(streams: Iterable<Stream>, reason: AppError): void {
    const ended = [...streams]
    for (const stream of ended) stream.refuse(reason)
    inSlices(ended, (stream) => stream.close())
  }
  const stopListening = revocations.onRevoked((revocation) => {
    const ended = Array.from(byName.get(nameOf(revocation.revoked)) ?? []).filter((stream) =>
      isEndedBy(credentialOf(stream.principal), revocation),
    )
    if (ended.length > 0) end(ended, new AppError('SESSION_ENDED'))
  })
  const timer = setInterval(() => {
    const now = clock() / 1000
    for (const [until, streams] of byUntil)
      if (until !== null && until <= now) end(streams, new AppError('STREAM_EXPIRED'))
    const unknown = refusalOf(() => guard.requireFresh())
    if (unknown)
      end(
        Array.from(open).filter(({ principal: { issuer } }) => issuer !== null),
        unknown,
      )
  }, lookEveryMs).unref()

  return {
    get count() {
      return open.size
    },
    [Symbol.iterator]: () => open.values(),
    add(stream) {
      if (closed) throw stopping()
      const { principal, until } = stream
      // Once more: it was asked before the operation was looked at, and from here on it is heard of.
      guard.requireInForce(principal)
      if (principal.issuer !== null) guard.requireFresh()
      open.add(stream)
      put(byUntil, until, stream)
      for (const name of namesOf(principal)) put(byName, name, stream)
    },
    forget(stream) {
      const { principal, until } = stream
      open.delete(stream)
      take(byUntil, until, stream)
      for (const name of namesOf(principal)) take(byName, name, stream)
    },
    close() {
      closed = true
      clearInterval(timer)
      stopListening()
      end(open, stopping())
    },
  }
}

function put<Key, Stream>(byKey: Map<Key, Set<Stream>>, key: Key, stream: Stream): void {
  const known = byKey.get(key)
  if (known) known.add(stream)
  else byKey.set(key, new Set([stream]))
}

function take<Key, Stream>(byKey: Map<Key, Set<Stream>>, key: Key, stream: Stream): void {
  const known = byKey.get(key)
  known?.delete(stream)
  if (known?.size === 0) byKey.delete(key)
}

function credentialOf({ issuer, subject, session, issuedAt, actor }: Principal): Revocable {
  return { issuer, subject, session, issuedAt, delegation: actor?.delegation ?? null }
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
function namesOf(principal: Principal): string[] {
  const { issuer, subject, session, delegation } = credentialOf(principal)
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
