import { randomBytes } from 'node:crypto'
import { type Audit, type AuditEvent, createEventCounter, type Graph, type ToolOutcome } from '@behalf/identity'
import { beforeEach, expect, it } from 'vitest'
import { toPrincipal, anonymous } from '../authenticate/principal.ts'
import { createToolAudit, type ToolAudit } from './audit-tools.ts'
import { createHashArguments } from './hash-arguments.ts'

const tool: Graph['tools'][number] = {
  name: 'get_orders',
  title: '',
  description: '',
  inputSchema: {},
  outputSchema: {},
  operation: '',
  bindings: [
    { variable: 'owner', claim: 'sub' },
    { variable: 'org', claim: 'tenant' },
  ],
  scopes: [],
  policies: [['paid']],
  readOnly: true,
  approval: null,
  summary: null,
  examples: [],
  version: 'v7',
}
const actor = { agent: 'assistant', delegation: 'dlg_1', run: 'run_1', tool: null, call: null, parent: 'p' }
const ada = toPrincipal({ ...anonymous, subject: 'usr_ada', tenant: 'acme', actor })
const call = { name: 'get_orders', arguments: {}, call: 'call_1' }

let events: AuditEvent[]
let toolAudit: ToolAudit
beforeEach(() => {
  events = []
  const audit: Audit = { record: (event) => events.push(event) }
  toolAudit = createToolAudit({
    audit,
    counter: createEventCounter(audit),
    graph: { tools: [tool] },
    hashArguments: createHashArguments({ rootKey: randomBytes(32).toString('base64url'), epoch: 1 }),
  })
})
const answering = (answer: () => Promise<ToolOutcome>) => toolAudit.audited({ catalogue: () => [tool], call: answer })
const failed = (code: string) => async (): Promise<ToolOutcome> => ({ ok: false, error: { code, message: '' } })

it('[P14] arguments that are filled from the caller are recorded by variable and claim', async () => {
  await answering(async () => ({ ok: true, result: null, truncated: false })).call(ada, call, 't')
  expect(events).toMatchObject([
    { what: 'tool.called', txn: 't', parent: 'p', target: 'get_orders', rule: '@policy(policies: [["paid"]])' },
    { what: 'subject.bound', txn: 't', target: 'owner', rule: '@subject(claim: "sub")' },
    { what: 'subject.bound', txn: 't', target: 'org', rule: '@subject(claim: "tenant")' },
  ])
  expect(JSON.stringify(events[1]?.detail)).toBe('{}')
})

it.each(['TOOL_UNKNOWN', 'TOOL_ARGUMENTS_INVALID', 'RATE_LIMITED'])(
  '[P14] %s is a tool denied, with nothing bound',
  async (code) => {
    await answering(failed(code)).call(ada, call, 't')
    expect(events).toMatchObject([{ what: 'tool.denied', target: 'get_orders', outcome: code, detail: { hops: [] } }])
  },
)

it('[P14] calls beyond a limit have events of their own a hundred times, and fill nothing after that', async () => {
  for (let i = 0; i < 150; i++) toolAudit.refused(ada, call, { txn: `t${i}`, code: 'RATE_LIMITED' })
  expect(events).toHaveLength(100)
  for (let i = 0; i < 150; i++) toolAudit.refused(ada, call, { txn: `t${i}`, code: 'TOOL_UNKNOWN' })
  expect(events).toHaveLength(250)
})

it('[P14] a tool that fails, or throws, was called', async () => {
  await answering(failed('SUBGRAPH_TIMEOUT')).call(ada, call, 't')
  expect(events[0]).toMatchObject({ what: 'tool.called', outcome: 'SUBGRAPH_TIMEOUT' })
  events.length = 0
  const thrown = answering(() => Promise.reject(new Error('a bug'))).call(ada, call, 't')
  await expect(thrown).rejects.toThrow('a bug')
  expect(events[0]).toMatchObject({ what: 'tool.called', outcome: 'INTERNAL' })
})

it('has one record for the execution of a call, and none afterwards', async () => {
  const seen: unknown[] = []
  const registry = answering(async () => {
    seen.push(toolAudit.recordOf('t'), toolAudit.recordOf('t'), toolAudit.recordOf('u'))
    return { ok: true, result: null, truncated: false }
  })
  await registry.call(ada, call, 't')
  expect(seen[0]).toBe(seen[1])
  expect(seen[0]).not.toBe(seen[2])
  expect(toolAudit.recordOf('t')).not.toBe(seen[0])
})
