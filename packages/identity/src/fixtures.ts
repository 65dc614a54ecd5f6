import { randomBytes } from 'node:crypto'
import { deepFreeze, type Principal, type Unbranded } from './principal.ts'

/** For this package's tests only; keys are made at run time and never stored. */
export const newRootKey = () => randomBytes(32).toString('base64url')

const human: Unbranded<Principal> = {
  issuer: 'http://127.0.0.1:4200',
  subject: 'usr_ada',
  tenant: 'acme',
  scopes: ['profile', 'orders:read', 'balance:read'],
  facts: { tier: 'premium', email: 'ada@acme.example' },
  client: 'behalf-cli',
  session: 'session-1',
  authTime: 1763856000,
  acr: 'pwd',
  actor: null,
  issuedAt: 1763856000,
  expiresAt: 1763859600,
}

export const ada = deepFreeze(human) as Principal

export const agentOfAda = deepFreeze({
  ...human,
  actor: {
    agent: 'assistant',
    delegation: 'dlg_1',
    run: 'run_1',
    tool: 'get_balance',
    call: 'call_1',
    parent: '01980f6e-0000-7abc-8def-0123456789ab',
  },
}) as Principal

/** A replay store in memory. */
export function onceOnly(): (id: string) => Promise<boolean> {
  const seen = new Set<string>()
  return (id) => Promise.resolve(!seen.has(id) && seen.add(id).has(id))
}
