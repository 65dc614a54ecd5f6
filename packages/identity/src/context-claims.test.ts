import { describe, expect, it } from 'vitest'
import { type ContextClaims, readActor, readContextClaims } from './context-claims.ts'

/** Of an agent's mutation, with all there can be; `until` is a subscription's. */
const agents = {
  iss: 'behalf/gateway',
  aud: 'behalf',
  iat: 1763856000,
  exp: 1763856030,
  txn: '01980f6e-1111-7abc-8def-0123456789ab',
  sub: 'usr_ada',
  scope: 'orders:read orders:write',
  req_wl: 'behalf/gateway',
  act: { sub: 'assistant' },
  rctx: { client: 'behalf-cli', auth_time: 1763856000, acr: 'pwd' },
  tctx: {
    tenant: 'acme',
    facts: { tier: 'premium', level: 3, verified: true, groups: ['a', 'b'] },
    delegation: 'dlg_1',
    run: 'run_1',
    tool: 'cancel_order',
    call: 'call_1',
    parent: '01980f6e-0000-7abc-8def-0123456789ab',
  },
  hop: {
    to: 'orders',
    req: 'a'.repeat(43),
    op: 'mutation',
    jti: 'jti_1',
    approval: { id: 'apr_1', field: 'cancelOrder' },
    ticket: 'ticket',
  },
}

/** Of somebody without a credential. */
const nobodys = {
  ...agents,
  iat: 0,
  scope: '',
  act: undefined,
  rctx: { client: null, auth_time: null, acr: null },
  tctx: { tenant: null, facts: {} },
  hop: { to: 'orders', req: 'a'.repeat(43), op: 'query' },
}

/** Claims with another value at `path`, such as `hop.to`. */
function changed(claims: object, path: string, value: unknown): Record<string, unknown> {
  const copy = structuredClone(claims) as Record<string, unknown>
  const names = path.split('.')
  const last = names.pop()!
  let holder = copy
  for (const name of names) holder = holder[name] as Record<string, unknown>
  holder[last] = value
  return copy
}

const noText = [undefined, null, '', 5, {}, ['text']]
const noObject = [null, 'text', 5, []]
const noSeconds = ['5', 1.5, -1, null, 2 ** 53, Number.NaN]
const noTextIfAny = [null, '', 5, {}]

describe('[P1] claims whose signature holds', () => {
  it('are those of an agent with everything, or of nobody at all', () => {
    expect(readContextClaims(agents)).toBe(agents)
    expect(readContextClaims(nobodys)).toBe(nobodys)
  })

  it('of each kind of operation have what it needs', () => {
    const query = changed(agents, 'hop', { ...agents.hop, op: 'query', jti: undefined })
    expect(readContextClaims(query)).toBe(query)
    const subscription = changed(agents, 'hop', { ...agents.hop, op: 'subscription', jti: undefined, until: 0 })
    expect(readContextClaims(subscription)).toBe(subscription)
  })

  it.each<[string, string, readonly unknown[]]>([
    ['iss', 'iss', noText],
    ['aud', 'aud', noText],
    ['iat', 'iat', [undefined, ...noSeconds]],
    ['exp', 'exp', [undefined, ...noSeconds]],
    ['txn', 'txn', [...noText, '1', '01980F6E-1111-7abc-8def-0123456789ab', `${agents.txn}0`, [agents.txn]]],
    ['sub', 'sub', noText],
    ['scope', 'scope', [undefined, null, 5, ['orders:read']]],
    ['req_wl', 'req_wl', noText],
    ['act', 'act', [...noObject, {}]],
    ['act.sub', 'act', noText],
    ['rctx', 'rctx', [undefined, {}, ...noObject]],
    ['rctx.client', 'rctx', [undefined, '', 5]],
    ['rctx.acr', 'rctx', [undefined, '', 5]],
    ['rctx.auth_time', 'rctx.auth_time', [undefined, '5', 1.5, -1]],
    ['tctx', 'tctx', [undefined, {}, ...noObject]],
    ['tctx.tenant', 'tctx', [undefined, '', 5]],
    ['tctx.facts', 'tctx.facts', [undefined, ...noObject, ['text']]],
    ['tctx.facts.level', 'tctx.facts', [null, {}, Number.NaN, [5], ['a', 5], ['a', null]]],
    ['tctx.delegation', 'tctx.delegation', noTextIfAny],
    ['tctx.run', 'tctx.run', noTextIfAny],
    ['tctx.tool', 'tctx.tool', noTextIfAny],
    ['tctx.call', 'tctx.call', noTextIfAny],
    ['tctx.parent', 'tctx.parent', noTextIfAny],
    ['hop', 'hop', [undefined, {}, ...noObject]],
    ['hop.to', 'hop', noText],
    ['hop.req', 'hop', noText],
    ['hop.op', 'hop.op', [...noText, 'text']],
    ['hop.jti', 'hop.jti', noText],
    ['hop.until', 'hop.until', [0, 1763856600, null, '5']],
    ['hop.ticket', 'hop.ticket', noTextIfAny],
    ['hop.approval', 'hop.approval', [...noObject, {}]],
    ['hop.approval.id', 'hop.approval', noText],
    ['hop.approval.field', 'hop.approval', noText],
  ])('are refused for each other kind of value of %s', (path, named, values) => {
    for (const value of values) expect([value, readContextClaims(changed(agents, path, value))]).toEqual([value, named])
  })

  it('of a query have no jti and no until, of a subscription an until', () => {
    const query = changed(agents, 'hop', { ...agents.hop, op: 'query', jti: undefined })
    expect(readContextClaims(changed(query, 'hop.jti', 'jti_1'))).toBe('hop.jti')
    expect(readContextClaims(changed(query, 'hop.until', 1763856600))).toBe('hop.until')
    const subscription = changed(query, 'hop.op', 'subscription')
    for (const until of [undefined, ...noSeconds])
      expect(readContextClaims(changed(subscription, 'hop.until', until))).toBe('hop.until')
  })

  it.each(['delegation', 'run', 'tool', 'call', 'parent'])('name no %s of an agent that is not named', (name) => {
    expect(readContextClaims(changed(nobodys, `tctx.${name}`, 'some'))).toBe(`tctx.${name}`)
    const agent = changed(changed(nobodys, 'act', { sub: 'assistant' }), `tctx.${name}`, 'some')
    expect(readContextClaims(agent)).toBe(agent)
  })

  it('name the actor, or a human', () => {
    const { delegation, run, tool, call, parent } = agents.tctx
    expect(readActor(agents as unknown as ContextClaims)).toEqual({
      agent: 'assistant',
      delegation,
      run,
      tool,
      call,
      parent,
    })
    expect(readActor(nobodys as unknown as ContextClaims)).toBeNull()
    const script = { ...nobodys, act: { sub: 'script' } } as unknown as ContextClaims
    expect(readActor(script)).toEqual({
      agent: 'script',
      delegation: null,
      run: null,
      tool: null,
      call: null,
      parent: null,
    })
  })
})
