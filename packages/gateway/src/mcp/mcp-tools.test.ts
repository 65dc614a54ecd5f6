import type { Delegation, DelegationGrant } from '@behalf/identity'
import { beforeEach, describe, expect, it } from 'vitest'
import { anonymous, toPrincipal } from '../authenticate/principal.ts'
import { createToolsOf } from './mcp-tools.ts'

const granted: DelegationGrant[] = []
let now = 0
let inForce = true
beforeEach(() => {
  granted.length = 0
  now = 0
  inForce = true
})

const never = () => {
  throw new Error('not asked here')
}
const seen: string[] = []
const toolsOf = createToolsOf({
  authority: {
    async delegateToClient(grant) {
      granted.push(grant)
      const times = { createdAt: new Date(), expiresAt: new Date() }
      return inForce ? ({ ...grant, ...times, id: `dlg_${granted.length}` } satisfies Delegation) : null
    },
  },
  guard: {
    requireInForce: ({ actor }) => void seen.push(actor?.delegation ?? ''),
    requireFresh: never,
    requireKnown: never,
  },
  rates: { request: never, cost: never, toolCall: never, refusedCredential: never },
  issuers: [],
  agentScopes: () => true,
  rounds: { sealRound: never, openRound: never },
  home: 'http://x/',
  clock: () => now,
})
const client = () =>
  toPrincipal({
    ...anonymous,
    issuer: 'https://issuer.test',
    subject: 'usr_ada',
    tenant: 'acme',
    client: 'c',
    issuedAt: 0,
    actor: { agent: 'c', delegation: null, run: null, tool: null, call: null, parent: null },
  })
const ask = (principal: ReturnType<typeof client>) =>
  toolsOf(principal, { txn: 'txn', graph: { tools: [], registry: never as never, toolAudit: never as never } })

describe('[P11] the delegation of a client', () => {
  it('is asked for once in five seconds, and looked at by what is known of revocations each time', async () => {
    const ada = client()
    seen.length = 0
    for (now of [0, 1, 4999]) await ask(ada)
    expect(granted).toHaveLength(1)
    expect(seen).toEqual(['dlg_1', 'dlg_1', 'dlg_1'])
    for (now of [5000, 9999]) await ask(ada)
    expect(granted).toHaveLength(2)
    expect(seen.slice(3)).toEqual(['dlg_2', 'dlg_2'])
  })

  it('is another’s, and asked for, where anything else was found of who came', async () => {
    await ask(client())
    await ask(client())
    expect(granted).toHaveLength(2)
  })

  it('that is none is asked for again', async () => {
    const ada = client()
    inForce = false
    for (let count = 1; count <= 2; count++) {
      await expect(ask(ada)).rejects.toMatchObject({ code: 'SESSION_ENDED' })
      expect(granted).toHaveLength(count)
    }
    inForce = true
    await ask(ada)
    now = 5000
    inForce = false
    await expect(ask(ada)).rejects.toMatchObject({ code: 'SESSION_ENDED' })
  })
})
