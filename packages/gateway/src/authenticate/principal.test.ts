import type { Delegation } from '@behalf/identity'
import { describe, expect, it } from 'vitest'
import { anonymous, narrowToTool, principalFromDelegation, principalOfClient, toPrincipal } from './principal.ts'

const delegation: Delegation = {
  id: 'dlg_1',
  issuer: 'https://issuer.example',
  subject: 'usr_ada',
  tenant: 'acme',
  scopes: ['orders:read', 'orders:write'],
  facts: { tier: 'premium', roles: ['customer'], groups: ['early'] },
  client: 'cli',
  session: 's1',
  authTime: 1763856000,
  acr: 'pwd',
  issuedAt: 1763856001,
  agent: 'assistant',
  parent: 'txn',
  createdAt: new Date(1_763_856_002_000),
  expiresAt: new Date(1_763_856_902_999),
}
const agent = principalFromDelegation(delegation, 'run_1')

describe('[P8] whoever acts under a delegation', () => {
  it('is its user, with an agent, to its end', () => {
    expect(agent).toEqual({
      issuer: 'https://issuer.example',
      subject: 'usr_ada',
      tenant: 'acme',
      scopes: ['orders:read', 'orders:write'],
      facts: { tier: 'premium' },
      client: 'cli',
      session: 's1',
      authTime: 1763856000,
      acr: 'pwd',
      actor: { agent: 'assistant', delegation: 'dlg_1', run: 'run_1', tool: null, call: null, parent: 'txn' },
      issuedAt: 1763856001,
      expiresAt: 1763856902,
    })
    expect(Object.isFrozen(agent) && Object.isFrozen(agent.actor) && Object.isFrozen(agent.facts)).toBe(true)
  })

  it('has in a call of a tool what the tool needs and the user granted, both', () => {
    const tool = { name: 'cancelOrder', call: 'call_1', scopes: ['orders:write', 'users:write'] }
    expect(narrowToTool(agent, tool)).toEqual({
      ...agent,
      scopes: ['orders:write'],
      actor: { ...agent.actor, tool: 'cancelOrder', call: 'call_1' },
    })
    expect(narrowToTool(agent, { ...tool, scopes: [] }).scopes).toEqual([])
    expect(() => narrowToTool(anonymous, tool)).toThrow('A person does not call tools.')
  })

  it('is over MCP its client, under the delegation that its user gave that', () => {
    const actor = { agent: 'some-client', delegation: null, run: null, tool: null, call: null, parent: null }
    const program = toPrincipal({ ...agent, facts: delegation.facts, actor })
    expect(principalOfClient(program, { id: 'dlg_2' })).toEqual({
      ...program,
      facts: { tier: 'premium' },
      actor: { ...actor, delegation: 'dlg_2', run: 'mcp' },
    })
    expect(() => principalOfClient(toPrincipal({ ...agent, actor: null }), { id: 'dlg_2' })).toThrow(
      'A person acts under no delegation.',
    )
  })
})
