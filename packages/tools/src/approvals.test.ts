import { createHash } from 'node:crypto'
import { deepFreeze, type ToolDefinition } from '@behalf/identity'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type ApprovedCall, type CallToApprove, createRegistry, type ToolExecution } from './create-registry.ts'
import { fillSummary } from './fill-summary.ts'
import { principal, tool } from './fixtures.ts'

const actor = { agent: 'assistant', delegation: 'dlg_1', run: 'run_1', tool: null, call: null, parent: null }
const agent = principal({ actor })
const cancel = (parts: Partial<ToolDefinition> = {}) =>
  tool({
    name: 'cancel_order',
    approval: 'cancelOrder',
    readOnly: false,
    summary: 'Cancel {orderId}, {first}',
    scopes: [['orders:write']],
    ...parts,
  })
const approval = { id: 'apr_1', field: 'cancelOrder' }
const txn = '01980f6e-1111-7abc-8def-0123456789ab'

function registryOf(decided: ApprovedCall, definition = cancel()) {
  const asked: CallToApprove[] = []
  const executions: ToolExecution[] = []
  const registry = createRegistry({
    tools: [definition],
    execute: async (execution) => {
      executions.push(execution)
      return { data: { cancelOrder: { id: 'ord_1' } }, errors: [] }
    },
    approve: async (call) => {
      asked.push(call)
      return decided
    },
  })
  const call = (given: unknown) => registry.call(agent, { name: 'cancel_order', arguments: given, call: 'call_1' }, txn)
  return { registry, asked, executions, call }
}

describe('[P9] a tool that needs approval', () => {
  it('[P10] is listed for agents under a delegation, under which they can be approved', () => {
    const { registry } = registryOf({ approval })
    expect(registry.catalogue(agent)).toHaveLength(1)
    expect(registry.catalogue(principal({ actor: { ...actor, delegation: null } }))).toEqual([])
    expect(registry.catalogue(principal())).toEqual([])
  })

  it('runs with the approval of exactly this call', async () => {
    const { asked, executions, call } = registryOf({ approval })
    expect(await call({ orderId: 'ord_1', first: 2 })).toMatchObject({ ok: true })
    // RFC 8785: members in the order of their names, no blanks.
    const text = '{"arguments":{"first":2,"orderId":"ord_1"},"tool":"cancel_order","toolVersion":"v"}'
    expect(asked).toEqual([
      {
        principal: agent,
        call: 'call_1',
        txn,
        tool: { name: 'cancel_order', version: 'v', approval: 'cancelOrder' },
        argumentsHash: createHash('sha256').update(text).digest('base64url'),
        summary: 'Cancel "ord_1", 2',
      },
    ])
    expect(executions).toMatchObject([{ approval, scopes: ['orders:write'] }])
  })

  it('is not run without it, and says what the user is asked', async () => {
    const waits = { id: 'apr_1', summary: 's', argumentsHash: 'h', expiresAt: '2026-01-01T00:00:00.000Z' }
    const { executions, call } = registryOf({ code: 'APPROVAL_REQUIRED', asked: waits })
    expect(await call({ orderId: 'ord_1' })).toEqual({
      ok: false,
      error: { code: 'APPROVAL_REQUIRED', message: 'The user has to approve this first.' },
      approval: waits,
    })
    const rejected = registryOf({ code: 'APPROVAL_REJECTED', asked: null })
    expect(await rejected.call({ orderId: 'ord_1' })).toEqual({
      ok: false,
      error: { code: 'APPROVAL_REJECTED', message: expect.any(String) },
    })
    expect([...executions, ...rejected.executions]).toEqual([])
  })

  it.each([
    ['do not fit', { orderId: 1 }],
    ['are of others', { orderId: 'ord_1', userId: 'usr_ben' }],
    ['are beyond what RFC 8785 tells apart', { orderId: 'ord_1', first: Number.MAX_SAFE_INTEGER + 2 }],
    ['have half a character', { orderId: '\ud800' }],
  ])('asks nobody where arguments %s', async (_what, given) => {
    const { asked, executions, call } = registryOf({ approval })
    expect(await call(given)).toMatchObject({ ok: false, error: { code: 'TOOL_ARGUMENTS_INVALID' } })
    expect([asked, executions]).toEqual([[], []])
    await call({ orderId: 'ord_1', first: 9 })
    expect(asked).toHaveLength(1)
  })

  it('is of tool, version and arguments: whichever differs, the hash does', async () => {
    const hashOf = async (given: object, parts: Partial<ToolDefinition> = {}) => {
      const { asked, call } = registryOf({ approval }, cancel(parts))
      await call(given)
      return asked[0]?.argumentsHash
    }
    const hash = await hashOf({ orderId: 'ord_1' })
    expect(await hashOf({ orderId: 'ord_1', first: null })).toBe(hash)
    for (const [given, parts] of [
      [{ orderId: 'ord_2' }, {}],
      [{ orderId: 'ord_1', first: 1 }, {}],
      [{ orderId: 'ord_1' }, { version: 'w' }],
    ] as const)
      expect(await hashOf(given, parts)).not.toBe(hash)
  })
})

/** Of any code points, halves of surrogate pairs among them. */
const anyText = fc.array(fc.nat(0x10ffff), { maxLength: 12 }).map((points) => String.fromCodePoint(...points))

describe('[P9] a summary', () => {
  it('shows arguments as what they are, and what is done where one is left out', async () => {
    const { asked, call } = registryOf({ approval })
    await call({ orderId: 'ord_1' })
    expect(asked[0]?.summary).toBe('Cancel "ord_1", 10')
    expect(fillSummary('{a} {b} {c} {d} {toString}', { a: true, b: 1.5, c: ['x'], d: '{a}' })).toBe(
      'true 1.5 ["x"] "{a}" (none)',
    )
  })

  it('shows no more than a part of what is long', () => {
    const shown = fillSummary('Cancel {a}.', { a: 'x'.repeat(10_000) })
    expect(shown).toMatch(/^Cancel "x{199}\.\.\. \(9802 characters more\)\.$/)
  })

  it('has nothing that hides, breaks or reorders what is around it', () => {
    expect(fillSummary('{a}', { a: 'x\u202ey\u2066\u200b\n\u2028\u00a0\u{e0041}"' })).toBe(
      '"x\\u{202e}y\\u{2066}\\u{200b}\\n\\u{2028}\\u{a0}\\u{e0041}\\""',
    )
    fc.assert(
      fc.property(anyText, (a) => {
        const shown = fillSummary('Cancel {a}.', deepFreeze({ a }))
        expect(shown).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u)
        expect(shown.startsWith('Cancel "') && shown.endsWith('.')).toBe(true)
        // No quotation mark of an argument's ends its quotation.
        expect(shown.replaceAll(/\\./g, '').match(/"/g)?.length).toBeLessThanOrEqual(2)
      }),
    )
  })
})
