import { isEndedBy, type Principal, type Revocation } from '@behalf/identity'
import { describe, expect, it } from 'vitest'
import { anonymous, toPrincipal } from '../authenticate/principal.ts'
import { createRevocationGuard } from './revocation-guard.ts'

const person = toPrincipal({
  ...anonymous,
  issuer: 'https://issuer.test',
  subject: 'usr_ada',
  tenant: 'acme',
  client: 'cli',
  session: 'sid-1',
  issuedAt: 1_790_000_000,
})
const actor = { agent: 'assistant', delegation: 'dlg_1', run: 'r', tool: null, call: null, parent: null }
const agent = toPrincipal({ ...person, actor })
const program = toPrincipal({ ...person, actor: { ...actor, agent: 'script', delegation: null, run: null } })

const guardOf = (age: number, ...revoked: Pick<Revocation, 'revoked' | 'notBefore'>[]) =>
  createRevocationGuard({
    age: () => age,
    isRevoked: (credential) => revoked.some((each) => isEndedBy(credential, each)),
    onRevoked: () => () => undefined,
  })
const unknown = { code: 'REVOCATIONS_UNKNOWN', status: 503, details: { retryAfter: 1 } }
const requiring = (age: number, principal: Principal) => () => guardOf(age).requireInForce(principal)

describe('[P11] without knowledge of revocations that is fresh', () => {
  it.each([
    ['an agent', agent, 5000],
    ["a program with a user's token", program, 5000],
    ['a person', person, 60_000],
  ])('%s is answered until then, and not after', (_who, principal, limit) => {
    for (const age of [0, limit]) expect(requiring(age, principal)).not.toThrow()
    for (const age of [limit + 1, 3_600_000, Infinity])
      expect(requiring(age, principal)).toThrow(expect.objectContaining(unknown))
  })

  it('a caller without a credential is always answered', () => {
    for (const age of [0, 3_600_000, Infinity]) expect(requiring(age, anonymous)).not.toThrow()
  })

  it('nothing is changed', () => {
    expect(() => guardOf(5000).requireFresh()).not.toThrow()
    expect(() => guardOf(5001).requireFresh()).toThrow(expect.objectContaining(unknown))
  })
})

describe('[P11] what was ended', () => {
  const subject = (notBefore: number) => ({
    revoked: { kind: 'subject', issuer: null, subject: 'usr_ada' } as const,
    notBefore: new Date(notBefore),
  })
  const session = {
    revoked: { kind: 'session', issuer: 'https://issuer.test', session: 'sid-1' } as const,
    notBefore: new Date(),
  }
  const delegation = { revoked: { kind: 'delegation', delegation: 'dlg_1' } as const, notBefore: new Date() }
  const over = { code: 'SESSION_ENDED', status: 401 }

  it.each([
    ['a subject', subject(1_790_000_000_000), [person, agent, program], []],
    ['a subject before it signed in again', subject(1_789_999_999_999), [], [person, agent, program]],
    ['a session', session, [person, agent, program], [toPrincipal({ ...person, session: 'sid-2' })]],
    ['a delegation', delegation, [agent], [person, program]],
  ])('is over, and nothing else: %s', (_what, revocation, ended, inForce) => {
    for (const principal of ended)
      expect(() => guardOf(0, revocation).requireInForce(principal)).toThrow(expect.objectContaining(over))
    for (const principal of [...inForce, anonymous])
      expect(() => guardOf(0, revocation).requireInForce(principal)).not.toThrow()
  })

  it('is over however old the knowledge of it', () => {
    expect(() => guardOf(Infinity, session).requireInForce(person)).toThrow(expect.objectContaining(over))
  })
})
