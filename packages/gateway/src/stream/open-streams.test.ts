import { AppError, type Principal, type Revocation, type Revoked } from '@behalf/identity'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { anonymous, toPrincipal } from '../authenticate/principal.ts'
import type { RevocationGuard } from '../revocation/revocation-guard.ts'
import { createOpenStreams, type OpenStreams } from './open-streams.ts'

const guard = {
  requireInForce: () => undefined,
  requireFresh: () => {
    if (isUnknown) throw new AppError('REVOCATIONS_UNKNOWN')
  },
} as unknown as RevocationGuard
let isUnknown = false
let now = 0
let tell: (revocation: Revocation) => void
let streams: OpenStreams
beforeEach(() => {
  isUnknown = false
  now = Date.now()
  streams = createOpenStreams({
    guard,
    clock: () => now,
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

afterEach(() => streams.close())

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
  const stream = {
    principal,
    until: null,
    refuse: ({ code }: AppError) => void reasons.push(code),
    close: () => undefined,
  }
  streams.add(stream)
  return { reasons, forget: () => streams.forget(stream) }
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

describe('many that end by one thing', () => {
  const until = Math.floor(Date.now() / 1000) + 60
  /** So many, and of each turn of the event loop in which some were closed: how many, and how many were refused by then. */
  function openedMany(count: number) {
    let turn = 0
    const next = () => {
      turn++
      counting = setImmediate(next)
    }
    let counting = setImmediate(next)
    const reasons: string[] = []
    const turns = new Map<number, { closed: number; refused: number }>()
    for (let index = 0; index < count; index++)
      streams.add({
        principal: person('ada'),
        until,
        refuse: ({ code }: AppError) => void reasons.push(code),
        close() {
          const { closed = 0 } = turns.get(turn) ?? {}
          turns.set(turn, { closed: closed + 1, refused: reasons.length })
        },
      })
    return { reasons, turns: () => [...turns.values()], stop: () => clearImmediate(counting) }
  }

  it.each<[string, string, () => void]>([
    ['[P11] a revocation', 'SESSION_ENDED', () => revoke({ kind: 'subject', issuer: null, subject: 'usr_ada' })],
    ['[P11] that nobody can tell who was ended', 'REVOCATIONS_UNKNOWN', () => void (isUnknown = true)],
    ['the end of their tokens', 'STREAM_EXPIRED', () => void (now = until * 1000)],
    ['the end of the gateway', 'UNAVAILABLE', () => streams.close()],
  ])('%s: all are refused at once, and closed some at a time', async (_what, code, end) => {
    const other = opened(toPrincipal(anonymous))
    const many = openedMany(1000)
    end()
    const closed = () => many.turns().reduce((sum, each) => sum + each.closed, 0)
    await expect.poll(closed).toBe(1000)
    many.stop()
    expect(many.reasons).toEqual(Array.from({ length: 1000 }, () => code))
    expect(many.turns().every(({ refused }) => refused === 1000)).toBe(true)
    // Others were let work between, as often.
    expect(many.turns().length).toBeGreaterThan(20)
    expect(other.reasons).toEqual(code === 'UNAVAILABLE' ? [code] : [])
  })
})
