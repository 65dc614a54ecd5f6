import { AppError, type Approvals, type AskedApproval, type StoredApproval } from '@behalf/identity'
import { describe, expect, it, vi } from 'vitest'
import { anonymous, toPrincipal } from '../authenticate/principal.ts'
import { createApproveCall } from './approve-call.ts'

const actor = { agent: 'assistant', delegation: 'dlg_1', run: 'run_1', tool: null, call: null, parent: null }
const person = toPrincipal({ ...anonymous, issuer: 'https://issuer.test', subject: 'usr_ada', tenant: 'acme' })
const agent = toPrincipal({ ...person, actor })
const proof = {} as NonNullable<StoredApproval['proof']>
const approved: StoredApproval = {
  id: 'apr_1',
  state: 'APPROVED',
  argumentsHash: 'h',
  summary: 'Cancel an order',
  expiresAt: new Date(0),
  proof,
}

/** What becomes of a call, with what is stored of it. */
async function ask(
  stored: StoredApproval | null,
  {
    principal = agent,
    isUsed = true,
    opens = true,
    expected,
  }: {
    principal?: typeof agent
    isUsed?: boolean
    opens?: boolean
    expected?: Pick<AskedApproval, 'id' | 'argumentsHash'>
  } = {},
) {
  const approvals = {
    ask: vi.fn<Approvals['ask']>(async () => stored),
    use: vi.fn<Approvals['use']>(async () => isUsed),
  }
  const openProof = async () => {
    if (opens) return {} as never
    throw new AppError('TICKET_REFUSED')
  }
  const approveCall = createApproveCall(approvals as unknown as Approvals, openProof)
  const tool = { name: 'cancel_order', version: '1', approval: 'cancelOrder' }
  const call = {
    principal,
    tool,
    argumentsHash: 'h',
    summary: 'Cancel an order',
    call: 'call_1',
    txn: 'txn',
    expected,
  }
  const outcome = await approveCall(call).catch((error: AppError) => ({ code: error.code, thrown: true }))
  return { outcome, asked: approvals.ask.mock.calls.length, used: approvals.use.mock.calls.length }
}
const passes = { outcome: { approval: { id: 'apr_1', field: 'cancelOrder' }, call: 'call_1' }, asked: 1, used: 1 }
const refused = (code: string) => ({ outcome: { code, asked: null }, asked: 1, used: 0 })

describe('[P9] a call runs with what its user approved', () => {
  it('once it was, and again when it was used by the same call', async () => {
    expect(await ask(approved)).toEqual(passes)
    expect(await ask({ ...approved, state: 'USED' })).toEqual(passes)
  })

  it.each([
    ['a delegation that is over', null, 'DELEGATION_REFUSED'],
    ['other arguments', { ...approved, argumentsHash: 'x' }, 'APPROVAL_MISMATCH'],
    ['one that was rejected', { ...approved, state: 'REJECTED' as const }, 'APPROVAL_REJECTED'],
    ['one that has expired', { ...approved, state: 'EXPIRED' as const }, 'APPROVAL_EXPIRED'],
    ['one that nobody proves', { ...approved, proof: null }, 'APPROVAL_EXPIRED'],
  ])('and not with %s', async (_what, stored, code) => {
    expect(await ask(stored)).toEqual(refused(code))
  })

  it('and, on a further round, with the decision that was asked for, and with no other', async () => {
    expect(await ask(approved, { expected: { id: 'apr_1', argumentsHash: 'h' } })).toEqual(passes)
    // Nobody is asked anything new.
    const mismatch = refused('APPROVAL_MISMATCH')
    expect(await ask(approved, { expected: { id: 'apr_1', argumentsHash: 'x' } })).toEqual({ ...mismatch, asked: 0 })
    expect(await ask(approved, { expected: { id: 'apr_2', argumentsHash: 'h' } })).toEqual(mismatch)
  })

  it('and asks them where they have yet to decide', async () => {
    const { id, summary, argumentsHash, expiresAt } = approved
    const asked = { id, summary, argumentsHash, expiresAt: expiresAt.toISOString() }
    expect(await ask({ ...approved, state: 'PENDING', proof: null })).toEqual({
      ...refused('APPROVAL_REQUIRED'),
      outcome: { code: 'APPROVAL_REQUIRED', asked },
    })
  })

  it('and not with a proof that is not theirs', async () => {
    expect(await ask(approved, { opens: false })).toMatchObject({ outcome: { thrown: true }, used: 0 })
  })

  it('and not with what can no longer be taken: what came of it, if it was, is not known', async () => {
    const outcomeOf = async (state: StoredApproval['state']) =>
      (await ask({ ...approved, state }, { isUsed: false })).outcome
    expect(await outcomeOf('APPROVED')).toEqual({ code: 'APPROVAL_EXPIRED', asked: null })
    expect(await outcomeOf('USED')).toEqual({ code: 'OUTCOME_UNKNOWN', asked: null })
  })

  it.each([
    ['a person', person],
    ["a program with a user's token", toPrincipal({ ...person, actor: { ...actor, delegation: null } })],
    ['an agent outside of a run', toPrincipal({ ...person, actor: { ...actor, run: null } })],
  ])('and is not asked for by %s, whose user would not see it', async (_who, principal) => {
    expect(await ask(approved, { principal })).toEqual({ ...refused('APPROVAL_REQUIRED'), asked: 0 })
  })
})
