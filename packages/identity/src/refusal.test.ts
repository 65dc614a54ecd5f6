import { describe, expect, it } from 'vitest'
import { ada, agentOfAda } from './fixtures.ts'
import { type Caller, anonymousSubject } from './principal.ts'
import { RefusalError, refusalOf } from './refusal.ts'

const asks = { authenticated: false, scopes: [] as string[][], agent: 'ALLOW' as 'ALLOW' | 'APPROVE' | 'DENY' }
const nobody: Caller = { ...ada, subject: anonymousSubject, scopes: [] }
const denies = (parts: Partial<typeof asks>, caller: Caller = ada, isApproved?: boolean) =>
  refusalOf({ ...asks, ...parts }, caller, isApproved)

describe('[P6] a rule', () => {
  it.each<[string, Partial<typeof asks>, Caller, string | null, string]>([
    ['nothing', {}, nobody, null, ''],
    ['a signed-in caller', { authenticated: true }, nobody, 'UNAUTHENTICATED', '@authenticated'],
    ['a signed-in caller', { authenticated: true }, ada, null, ''],
    ['a scope', { scopes: [['profile']] }, nobody, 'UNAUTHENTICATED', '@requiresScopes(scopes: [["profile"]])'],
    ['a scope', { scopes: [['profile']] }, ada, null, ''],
    ['a scope', { scopes: [['admin']] }, ada, 'UNAUTHORIZED_FIELD_OR_TYPE', '@requiresScopes(scopes: [["admin"]])'],
    ['an empty set', { scopes: [[]] }, ada, 'UNAUTHORIZED_FIELD_OR_TYPE', '@requiresScopes(scopes: [[]])'],
    ['a person', { agent: 'DENY' }, ada, null, ''],
    ['a person', { agent: 'DENY' }, agentOfAda, 'AGENT_DENIED', '@agent(access: DENY)'],
    ['approval', { agent: 'APPROVE' }, ada, null, ''],
    ['approval', { agent: 'APPROVE' }, agentOfAda, 'APPROVAL_REQUIRED', '@agent(access: APPROVE)'],
    [
      'a scope first',
      { scopes: [['x']], agent: 'DENY' },
      agentOfAda,
      'UNAUTHORIZED_FIELD_OR_TYPE',
      '@requiresScopes(scopes: [["x"]])',
    ],
  ])('asks for %s: %j', (_name, parts, caller, code, rule) => {
    expect(denies(parts, caller)?.code ?? null).toBe(code)
    expect(denies(parts, caller)?.rule ?? '').toBe(rule)
  })

  it('is met by approval, where that is what it asks for', () => {
    expect(denies({ agent: 'APPROVE' }, agentOfAda, true)).toBeNull()
    expect(denies({ agent: 'DENY' }, agentOfAda, true)).toMatchObject({ code: 'AGENT_DENIED' })
  })

  it.each([
    [[['a']], 'Needs the scope a.'],
    [[['a', 'b']], 'Needs the scopes a and b.'],
    [[['a'], ['b', 'c']], 'Needs the scope a, or the scopes b and c.'],
  ])('says which scopes are missing: %j', (scopes, message) => {
    const refusal = denies({ scopes })
    expect(refusal).toMatchObject({ message, details: { requiredScopes: scopes } })
    expect(refusal && new RefusalError(refusal, 'Query.order')).toMatchObject({
      message,
      details: { requiredScopes: scopes },
      rule: refusal?.rule,
      coordinate: 'Query.order',
    })
  })
})
