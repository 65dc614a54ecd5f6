import { anonymousSubject, type Identity } from '@behalf/identity'

declare const storedCallerBrand: unique symbol

/** A user whose stored work is taken up again, in a process that no request of theirs has reached. */
export interface StoredCaller {
  readonly [storedCallerBrand]: true
  readonly subject: string
  readonly tenant: string
}

/**
 * The caller of work that was stored under this user's name earlier. It holds no scope. Only for a worker that read
 * both values from a row which a verified {@link Identity} wrote.
 *
 * @throws if either is empty, or the subject is the anonymous one
 */
export function storedCaller({ subject, tenant }: { subject: string; tenant: string }): StoredCaller {
  if (subject === '' || tenant === '' || subject === anonymousSubject)
    throw new Error('A stored caller is a known user.')
  return Object.freeze({ subject, tenant }) as StoredCaller
}

/** What a transaction is told of its caller; empty denies. */
export interface CallerSettings {
  readonly sub: string
  readonly tenant: string
  /** Separated by spaces. */
  readonly scopes: string
  /** Empty for a human. */
  readonly actor: string
}

const nobody: CallerSettings = { sub: '', tenant: '', scopes: '', actor: '' }

/** @throws if a value cannot be told apart from another one once it is set */
export function callerSettings(caller: Identity | StoredCaller): CallerSettings {
  if (caller.subject === anonymousSubject) return nobody
  const scopes = 'scopes' in caller ? caller.scopes : []
  const actor = 'actor' in caller ? caller.actor : null
  // An agent without a name would pass for a human, a scope with a space for two.
  if (actor !== null && actor.agent === '') throw new Error('An agent has a name.')
  if (scopes.some((scope) => scope === '' || /\s/.test(scope)))
    throw new Error('A scope has no spaces (RFC 6749, section 3.3).')
  return { sub: caller.subject, tenant: caller.tenant ?? '', scopes: scopes.join(' '), actor: actor?.agent ?? '' }
}
