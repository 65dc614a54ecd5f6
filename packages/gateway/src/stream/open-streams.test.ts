import type { Principal, Revocation, Revoked } from '@behalf/identity'
import { beforeEach, describe, expect, it } from 'vitest'
import { anonymous, toPrincipal } from '../authenticate/principal.ts'
import type { RevocationGuard } from '../revocation/revocation-guard.ts'
import { createOpenStreams, type OpenStreams } from './open-streams.ts'

const guard = { requireInForce: () => undefined, requireFresh: () => undefined } as unknown as RevocationGuard
let tell: (revocation: Revocation) => void
let streams: OpenStreams
beforeEach(() => {
  streams = createOpenStreams({
    guard,
    revocations: {
      age: () => 0,
      isRevoked: () => false,
      onRevoked(listener) {
        tell = listener
        return () => undefined
      },
    },
  })
})

const revoke = (revoked: Revoked) => tell({ sequence: 1, revoked, notBefore: new Date(), reason: 'USER' })
const issuer = 'https://issuer.test'
const person = (name: string, more: Partial<Principal> = {}) =>
  toPrincipal({
    ...anonymous,
    issuer,
    subject: `usr_${name}`,
    tenant: 'acme',
    issuedAt: Math.floor(Date.now() / 1000),
    ...more,
  })

/** A stream of `principal`, and what ended it. */
function opened(principal: Principal) {
  const reasons: string[] = []
  return { reasons, forget: streams.add(principal, ({ code }) => void reasons.push(code)) }
}

describe('[P11] a revocation', () => {
  const agent = (name: string, delegation: string) =>
    person(name, { actor: { agent: 'assistant', delegation, run: 'run_1' } as Principal['actor'] })

  it.each<[string, Revoked, () => Principal, () => Principal]>([
    ['of a subject', { kind: 'subject', issuer: null, subject: 'usr_ada' }, () => person('ada'), () => person('ben')],
    [
      'of a subject of one issuer',
      { kind: 'subject', issuer, subject: 'usr_ada' },
      () => person('ada'),
      () => person('ada', { issuer: 'https://other.test' }),
    ],
    [
      'of a session',
      { kind: 'session', issuer, session: 's1' },
      () => person('ada', { session: 's1' }),
      () => person('ada', { session: 's2' }),
    ],
    [
      'of a session, as its issuer names it',
      { kind: 'session', issuer, session: 's1' },
      () => person('ada', { session: 's1' }),
      () => person('ada', { session: 's1', issuer: 'https://other.test' }),
    ],
    [
      'of a delegation',
      { kind: 'delegation', delegation: 'dlg_1' },
      () => agent('ada', 'dlg_1'),
      () => agent('ada', 'dlg_2'),
    ],
  ])('%s ends what it is about, and nothing else', (_what, revoked, theirs, others) => {
    const [ended, second, left] = [opened(theirs()), opened(theirs()), opened(others())]
    revoke(revoked)
    expect([ended.reasons, second.reasons, left.reasons]).toEqual([['SESSION_ENDED'], ['SESSION_ENDED'], []])
  })

  it('of what was issued later does not end it, and what was forgotten is not told', () => {
    const later = opened(person('ada', { issuedAt: Math.floor(Date.now() / 1000) + 60 }))
    const gone = opened(person('ada'))
    const there = opened(person('ada'))
    gone.forget()
    revoke({ kind: 'subject', issuer: null, subject: 'usr_ada' })
    expect([later.reasons, gone.reasons, there.reasons]).toEqual([[], [], ['SESSION_ENDED']])
  })

  it('looks at no stream of anybody else, however many there are', () => {
    for (let count = 0; count < 1000; count++) opened(person(`other${count}`))
    const ended = opened(person('ada'))
    // Asked of a revocation for each stream that is compared with it.
    let looked = 0
    revoke({
      get kind() {
        looked++
        return 'subject' as const
      },
      issuer: null,
      subject: 'usr_ada',
    })
    expect(ended.reasons).toEqual(['SESSION_ENDED'])
    expect(looked).toBeLessThan(10)
  })
})
