import { isEndedBy, type Revocable, type Revoked } from '@behalf/identity'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RevocationIndex } from './revocation-index.ts'

const moment = Date.parse('2026-11-01T12:00:00.400Z')
const second = Math.floor(moment / 1000)
const credential: Revocable = {
  issuer: 'https://one.test',
  subject: 'usr_ada',
  session: 'sid-1',
  issuedAt: second,
  delegation: 'dlg_1',
}

const ended: [string, Revoked, Partial<Revocable>, Partial<Revocable>][] = [
  [
    'a subject with any issuer',
    { kind: 'subject', issuer: null, subject: 'usr_ada' },
    { issuer: 'https://two.test' },
    { subject: 'usr_ben' },
  ],
  [
    'a subject with one issuer',
    { kind: 'subject', issuer: 'https://one.test', subject: 'usr_ada' },
    {},
    { issuer: 'https://two.test' },
  ],
  [
    'a subject, but not what was issued in a later second',
    { kind: 'subject', issuer: null, subject: 'usr_ada' },
    { issuedAt: second },
    { issuedAt: second + 1 },
  ],
  [
    'a subject, and what does not say when it was issued',
    { kind: 'subject', issuer: null, subject: 'usr_ada' },
    { issuedAt: null },
    { issuedAt: null, subject: 'usr_ben' },
  ],
  [
    'a session, whenever something was issued in it',
    { kind: 'session', issuer: 'https://one.test', session: 'sid-1' },
    { issuedAt: second + 3600 },
    { session: 'sid-2' },
  ],
  [
    'a session of one issuer',
    { kind: 'session', issuer: 'https://one.test', session: 'sid-1' },
    {},
    { issuer: 'https://two.test' },
  ],
  ['a delegation', { kind: 'delegation', delegation: 'dlg_1' }, { issuedAt: second + 3600 }, { delegation: 'dlg_2' }],
]

describe.each(ended)('[P11] a revocation of %s', (_what, revoked, over, inForce) => {
  it('ends that and nothing else', () => {
    const index = new RevocationIndex()
    index.add({ revoked, notBefore: new Date(moment) }, Infinity)
    expect(index.isRevoked({ ...credential, ...over })).toBe(true)
    expect(index.isRevoked({ ...credential, ...inForce })).toBe(false)
  })
})

it('[P11] the index says what each of its revocations says, however many and in whatever order', () => {
  const few = (...values: string[]) => fc.constantFrom(...values)
  const issuer = few('i', 'j', 'i","s')
  const name = few('s', 't', 'u', '')
  const at = fc.integer({ min: -2, max: 2 })
  const revocation = fc.record({
    revoked: fc.oneof(
      fc.record({ kind: fc.constant('subject' as const), issuer: fc.option(issuer), subject: name }),
      fc.record({ kind: fc.constant('session' as const), issuer, session: name }),
      fc.record({ kind: fc.constant('delegation' as const), delegation: name }),
    ),
    notBefore: fc.tuple(at, fc.integer({ min: 0, max: 999 })).map(([s, ms]) => new Date((second + s) * 1000 + ms)),
  })
  const shown = fc.record({
    issuer: fc.option(issuer),
    subject: name,
    session: fc.option(name),
    issuedAt: fc.option(at.map((s) => second + s)),
    delegation: fc.option(name),
  })
  fc.assert(
    fc.property(fc.array(revocation, { maxLength: 8 }), shown, (revocations, asked) => {
      const index = new RevocationIndex()
      for (const each of revocations) index.add(each, Infinity)
      expect(index.isRevoked(asked)).toBe(revocations.some((each) => isEndedBy(asked, each)))
    }),
    { numRuns: 2000 },
  )
})

it('forgets what is over anyway, and nothing that was ended again since', () => {
  const index = new RevocationIndex()
  const end = (subject: string, expiresAt: number) =>
    index.add({ revoked: { kind: 'subject', issuer: null, subject }, notBefore: new Date(moment) }, expiresAt)
  end('usr_ada', 1000)
  end('usr_ben', 1000)
  end('usr_ben', 3000)
  index.forget(2000)
  expect(index.size).toBe(1)
  expect(index.isRevoked(credential)).toBe(false)
  expect(index.isRevoked({ ...credential, subject: 'usr_ben' })).toBe(true)
})
