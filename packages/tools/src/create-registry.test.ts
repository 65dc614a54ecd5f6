import { AppError, anonymousSubject, type ToolDefinition } from '@behalf/identity'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createRegistry, type ToolAnswer, type ToolExecution } from './create-registry.ts'
import { principal, tool } from './fixtures.ts'

const call = (name: string, given: unknown) => ({ name, arguments: given, call: 'call_1' })
const txn = '01980f6e-1111-7abc-8def-0123456789ab'

const approve = () => Promise.reject(new Error('nothing here is approved'))

function registryOf(
  tools: ToolDefinition[],
  answer: () => ToolAnswer = () => ({ data: { order: { id: 'ord_1' } }, errors: [] }),
) {
  const executions: ToolExecution[] = []
  const registry = createRegistry({
    tools,
    execute: async (execution) => {
      executions.push(execution)
      return answer()
    },
    approve,
  })
  return { registry, executions }
}

describe('the predicate', () => {
  const bound = { bindings: [{ variable: 'tenant', claim: 'tenant' as const }] }
  it.each([
    ['a tool whose scopes they hold', {}, {}, true],
    ['a tool that needs no scope', { scopes: [] }, {}, true],
    ['one of two alternatives', { scopes: [['admin'], ['orders:read', 'balance:read']] }, {}, true],
    ['half of an alternative', { scopes: [['orders:read', 'admin']] }, {}, false],
    ['a scope they lack', {}, { scopes: ['balance:read'] }, false],
    ['nobody signed in', { scopes: [] }, { subject: anonymousSubject }, false],
    ['a policy, which is decided when the tool is run', { policies: [['p']] }, {}, true],
    ['an approval that nobody asks for', { approval: 'cancelOrder', readOnly: false }, {}, false],
    ['a claim they have', bound, {}, true],
    ['a claim they do not have', bound, { tenant: null }, false],
  ])('%s', async (_case, toolParts, principalParts, offered) => {
    const { registry, executions } = registryOf([tool(toolParts)])
    const caller = principal(principalParts)
    expect(registry.catalogue(caller)).toHaveLength(offered ? 1 : 0)
    const outcome = await registry.call(caller, call('get_order_status', { orderId: 'ord_1' }), txn)
    expect(outcome.ok).toBe(offered)
    expect(executions).toHaveLength(offered ? 1 : 0)
    const unknown = await registry.call(caller, call('no_such_tool', {}), txn)
    expect(JSON.stringify(outcome) === JSON.stringify(unknown)).toBe(!offered)
  })

  it('narrows the scopes to the alternative that is satisfied', async () => {
    const { registry, executions } = registryOf([tool({ scopes: [['admin'], ['orders:read']] })])
    await registry.call(principal(), call('get_order_status', { orderId: 'ord_1' }), txn)
    expect(executions[0]).toMatchObject({ scopes: ['orders:read'], txn })
  })

  it('lists by name, whatever the order of the artefact', () => {
    const { registry } = registryOf([tool({ name: 'b' }), tool({ name: 'a' })])
    expect(registry.catalogue(principal()).map(({ name }) => name)).toEqual(['a', 'b'])
  })
})

describe('arguments', () => {
  it.each([
    ['a missing argument', {}, '"orderId" is missing'],
    [
      'one that does not exist',
      { orderId: 'a', userId: 'usr_ben' },
      'there is no argument "userId" (there is: orderId, first, status, since)',
    ],
    ['a wrong type', { orderId: 7 }, '"orderId" must be string'],
    ['a number beyond its bound', { orderId: 'a', first: 101 }, '"first" must be <= 100'],
    ['a value not in the list', { orderId: 'a', status: 'LOST' }, '"status" must be one of PLACED, SHIPPED'],
    ['a moment that is none', { orderId: 'a', since: 'yesterday' }, '"since" must match format "date-time"'],
    ['an unsafe integer', { orderId: 'a', first: 2 ** 53 }, 'can be kept exactly'],
    ['lists in lists', JSON.parse(`{"orderId":${'['.repeat(50_000)}${']'.repeat(50_000)}}`), 'nested too deeply'],
    ['text', '{"orderId":"a"}', 'one JSON object'],
    ['a list', [], 'one JSON object'],
    ['nothing', undefined, 'one JSON object'],
    ['null for what is required', { orderId: null }, '"orderId" is missing'],
    ['a prototype', JSON.parse('{"orderId":"a","__proto__":{"first":1}}'), 'there is no argument "__proto__"'],
  ])('refuses %s', async (_case, given, reason) => {
    const { registry, executions } = registryOf([tool()])
    const outcome = await registry.call(principal(), call('get_order_status', given), txn)
    expect(outcome).toMatchObject({
      ok: false,
      error: { code: 'TOOL_ARGUMENTS_INVALID', message: expect.stringContaining(reason) },
    })
    expect(executions).toEqual([])
  })

  it('takes null as leaving out, and executes the rest as given', async () => {
    const { registry, executions } = registryOf([tool()])
    const given = { orderId: 'ord_1', first: null, since: '2026-03-01T09:30:00.000Z' }
    await registry.call(principal(), call('get_order_status', given), txn)
    expect(executions[0]?.variables).toEqual({ orderId: 'ord_1', since: '2026-03-01T09:30:00.000Z' })
  })

  const bound = tool({
    inputSchema: {
      type: 'object',
      properties: { note: { type: 'string' } },
      required: [],
      additionalProperties: false,
    },
    bindings: [
      { variable: 'userId', claim: 'sub' },
      { variable: 'tenant', claim: 'tenant' },
    ],
  })
  const names = fc.constantFrom('userId', 'tenant', 'note', 'sub', '__proto__', 'constructor', 'toString')
  const anything = fc.oneof(
    fc.dictionary(fc.oneof(names, fc.string()), fc.jsonValue(), { noNullPrototype: false }),
    fc.jsonValue(),
  )

  it("whatever a model sends: only declared variables are executed, and the bound ones are the caller's", async () => {
    let executed = 0
    const { registry, executions } = registryOf([bound])
    await fc.assert(
      fc.asyncProperty(anything, async (given) => {
        executions.length = 0
        const outcome = await registry.call(principal(), call('get_order_status', given), txn)
        expect(outcome.ok).toBe(executions.length === 1)
        for (const { variables } of executions) {
          executed += 1
          expect(variables).toMatchObject({ userId: 'usr_ada', tenant: 'acme' })
          expect(Object.keys(variables).filter((name) => !['userId', 'tenant', 'note'].includes(name))).toEqual([])
          expect(Object.getPrototypeOf(variables)).toBe(Object.prototype)
        }
      }),
      { numRuns: 500 },
    )
    expect(executed).toBeGreaterThan(0)
  })

  it.each([
    ['a keyword that is none', { type: 'object', requird: ['a'] }],
    ['a type that is none', { type: 'objekt' }],
    ['a reference to nowhere', { $ref: '#/$defs/none' }],
  ])('a schema with %s fails the start, before any caller', (_what, inputSchema) => {
    const execute = () => Promise.reject(new Error('not called'))
    expect(() => createRegistry({ approve, tools: [tool(), tool({ name: 'broken', inputSchema })], execute })).toThrow(
      '"broken"',
    )
    expect(() => createRegistry({ approve, tools: [tool(), tool({ name: 'broken' })], execute })).not.toThrow()
  })

  it('binds even where a schema forgot to leave the variable out', async () => {
    const open = tool({ ...bound, inputSchema: { type: 'object' } })
    const { registry, executions } = registryOf([open])
    await registry.call(principal(), call('get_order_status', { userId: 'usr_ben', tenant: 'globex' }), txn)
    expect(executions[0]?.variables).toEqual({ userId: 'usr_ada', tenant: 'acme' })
  })
})

describe('outcomes', () => {
  const run = async (execute: () => Promise<ToolAnswer>, parts: Partial<ToolDefinition> = {}) =>
    createRegistry({ approve, tools: [tool(parts)], execute }).call(
      principal(),
      call('get_order_status', { orderId: 'a' }),
      txn,
    )

  it('passes on the data', async () => {
    expect(await run(async () => ({ data: { order: null }, errors: [] }))).toEqual({
      ok: true,
      result: { order: null },
      truncated: false,
    })
  })

  it('tells nothing of an exception', async () => {
    const outcome = await run(async () => {
      throw new Error('password=hunter2')
    })
    expect(outcome).toMatchObject({ ok: false, error: { code: 'INTERNAL' } })
    expect(JSON.stringify(outcome)).not.toContain('hunter2')
  })

  it('keeps the code of an error that is meant to be seen', async () => {
    const outcome = await run(async () => {
      throw new AppError('SUBGRAPH_TIMEOUT', 'orders at 10.0.0.7 is slow')
    })
    expect(outcome).toMatchObject({ ok: false, error: { code: 'SUBGRAPH_TIMEOUT' } })
    expect(JSON.stringify(outcome)).not.toContain('10.0.0.7')
  })

  it('fails a query that was answered in part, with the code of its first error', async () => {
    const errors = [{ message: 'secret', code: 'SUBGRAPH_UNAVAILABLE' as const }, { code: 'INTERNAL' as const }]
    const outcome = await run(async () => ({ data: { order: { id: 'a', shipment: null } }, errors }))
    expect(outcome).toMatchObject({ ok: false, error: { code: 'SUBGRAPH_UNAVAILABLE' } })
    expect(JSON.stringify(outcome)).not.toContain('secret')
  })

  it('says so where a policy denies what was asked', async () => {
    const errors = [{ code: 'STEP_UP_REQUIRED' as const }]
    expect(await run(async () => ({ data: { viewer: null }, errors }), { policies: [['p']] })).toEqual({
      ok: false,
      error: { code: 'STEP_UP_REQUIRED', message: 'The user has to sign in again before this can be done.' },
    })
  })

  it('does not call a mutation failed that has happened', async () => {
    const errors = [{ code: 'SUBGRAPH_UNAVAILABLE' as const }]
    const mutation = { readOnly: false }
    expect(await run(async () => ({ data: { cancelOrder: { id: 'a' } }, errors }), mutation)).toMatchObject({
      ok: true,
    })
    expect(await run(async () => ({ data: { cancelOrder: null }, errors }), mutation)).toMatchObject({ ok: false })
    expect(await run(async () => ({ data: null, errors }), mutation)).toMatchObject({ ok: false })
  })

  it('fails without data', async () => {
    expect(await run(async () => ({ data: null, errors: [] }))).toMatchObject({
      ok: false,
      error: { code: 'TOOL_FAILED' },
    })
  })

  it('shortens a long list and refuses a long text', async () => {
    const text = 'x'.repeat(1000)
    const list = await run(async () => ({ data: { orders: Array.from({ length: 40 }, () => ({ text })) }, errors: [] }))
    expect(list).toMatchObject({ ok: true, truncated: true })
    const long = await run(async () => ({ data: { text: text.repeat(20) }, errors: [] }))
    expect(long).toMatchObject({ ok: false, error: { code: 'TOOL_RESULT_TOO_LARGE' } })
  })
})
