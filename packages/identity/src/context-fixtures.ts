import { jwtVerify, SignJWT } from 'jose'
import { ada, newRootKey } from './fixtures.ts'
import { deriveContextKeys, parseKey } from './keys.ts'
import { createContextSigner, type ContextRequest } from './sign-context.ts'
import { createContextVerifier, type RequestHead } from './verify-context.ts'

export const rootKey = newRootKey()
export const trustDomain = 'behalf'
export const txn = '01980f6e-1111-7abc-8def-0123456789ab'
export const body = Buffer.from(JSON.stringify({ query: '{ viewer { id } }' }))
export const now = Date.UTC(2026, 10, 23)
export const clock = () => now
export const signer = createContextSigner({ rootKey, trustDomain, clock })
export const keysOf = (receiver: string, epochs = [1]) => deriveContextKeys(rootKey, receiver, epochs)
export const keyOf = (receiver: string) => parseKey(keysOf(receiver)).key
export const verifierOf = (receiver: string, at = now, keys = keysOf(receiver)) =>
  createContextVerifier({ receiver, keys, trustDomain, clock: () => at })
export const orders = verifierOf('orders')

export const request = (more: Partial<ContextRequest> = {}): ContextRequest => ({
  to: 'orders',
  body,
  operation: 'query',
  txn,
  facts: ['tier'],
  scopes: ['orders:read'],
  ...more,
})

export const head = (token: string, more: Partial<RequestHead> = {}, bytes: Uint8Array = body): RequestHead => ({
  method: 'POST',
  url: '/graphql',
  rawHeaders: ['Content-Length', String(bytes.length), 'Txn-Token', token],
  ...more,
})

/** A token that jose signs from claims, with the keys a receiver really has. */
export async function tokenFrom(
  change: (claims: Record<string, unknown>) => void,
  header: Record<string, unknown> = {},
  receiver = 'orders',
) {
  const { payload } = await jwtVerify(signer.sign(ada, request()), keyOf('orders'), { currentDate: new Date(now) })
  const claims = structuredClone(payload) as Record<string, unknown>
  change(claims)
  return new SignJWT(claims)
    .setProtectedHeader({ typ: 'txntoken+jwt', alg: 'HS256', kid: 'orders/1', ...header })
    .sign(keyOf(receiver))
}
