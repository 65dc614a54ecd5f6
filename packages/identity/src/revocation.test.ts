import { describe, expect, it } from 'vitest'
import { isEndedBy, type Revocable, type Revoked } from './revocation.ts'

const credential: Revocable = {
  issuer: 'https://one.test',
  subject: 'usr_ada',
  session: 'session-1',
  issuedAt: 1763856000,
  delegation: 'dlg_1',
}
const ends = (revoked: Revoked, more: Partial<Revocable> = {}, at = 1763856000_999) =>
  isEndedBy({ ...credential, ...more }, { revoked, notBefore: new Date(at) })

describe('[P11] a revocation', () => {
  const ofSubject: Revoked = { kind: 'subject', issuer: null, subject: 'usr_ada' }
  const byIssuer: Revoked = { ...ofSubject, issuer: 'https://one.test' }

  it('of a subject ends what was issued to them until then, the second of it included', () => {
    expect(ends(ofSubject)).toBe(true)
    expect(ends(ofSubject, {}, 1763856000_000)).toBe(true)
    expect(ends(ofSubject, {}, 1763855999_999)).toBe(false)
    expect(ends(ofSubject, { issuedAt: null }, 0)).toBe(true)
    expect(ends(ofSubject, { subject: 'usr_ben' })).toBe(false)
  })

  it('of a subject by one issuer ends nothing of another', () => {
    expect(ends(byIssuer)).toBe(true)
    expect(ends(byIssuer, { issuer: 'https://two.test' })).toBe(false)
    expect(ends(byIssuer, { issuer: null })).toBe(false)
    expect(ends(ofSubject, { issuer: 'https://two.test' })).toBe(true)
  })

  it('of a session ends it for good, at its issuer only', () => {
    const ofSession: Revoked = { kind: 'session', issuer: 'https://one.test', session: 'session-1' }
    expect(ends(ofSession, {}, 0)).toBe(true)
    expect(ends(ofSession, { session: 'session-2' })).toBe(false)
    expect(ends(ofSession, { session: null })).toBe(false)
    expect(ends(ofSession, { issuer: 'https://two.test' })).toBe(false)
  })

  it('of a delegation ends it for good, and no other', () => {
    const ofDelegation: Revoked = { kind: 'delegation', delegation: 'dlg_1' }
    expect(ends(ofDelegation, {}, 0)).toBe(true)
    expect(ends(ofDelegation, { delegation: 'dlg_2' })).toBe(false)
    expect(ends(ofDelegation, { delegation: null })).toBe(false)
  })
})
