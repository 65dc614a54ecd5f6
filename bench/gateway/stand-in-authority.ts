import type { Authority } from '@behalf/gateway'

const nextYear = new Date(Date.now() + 365 * 86_400_000)

/** Knows everybody and records nothing: no database is measured here. */
export function createStandInAuthority(): Authority {
  const refuse = () => Promise.reject(new Error('not measured'))
  return {
    resolveSubject: async ({ subject }) => ({ subject: `usr_${subject}`, tenant: 'acme', facts: {} }),
    redeemTicket: refuse,
    useDelegation: refuse,
    delegateToClient: async (grant) => ({ ...grant, id: 'dlg_bench', createdAt: new Date(), expiresAt: nextYear }),
    approvals: { request: refuse, find: refuse, resolve: refuse, consume: refuse } as never,
    consume: refuse,
    consumeAndUse: refuse,
    revoke: refuse,
    revocations: { age: () => 0, isRevoked: () => false, onRevoked: () => () => undefined },
    limiter: { take: () => ({ ok: true }) },
    audit: { record: () => undefined },
  }
}
