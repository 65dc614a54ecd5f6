import { createHash, createHmac, hkdfSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { decodeJwt, SignJWT } from 'jose'
import { describe, expect, it } from 'vitest'
import { AppError } from './app-error.ts'
import { ada, agentOfAda, onceOnly } from './fixtures.ts'
import { deriveContextKeys, parseKeys } from './keys.ts'
import type { OperationType } from './principal.ts'
import { type ContextRequest, createContextSigner } from './sign-context.ts'
import { createContextVerifier } from './verify-context.ts'

/** What docs/spec/context-token.md gives to those who write a receiver in another language. */
interface Vectors {
  readonly rootKey: string
  readonly trustDomain: string
  readonly receiver: string
  readonly epoch: number
  /** base64url */
  readonly key: string
  /** Seconds since the epoch at which every token is judged. */
  readonly now: number
  readonly accepted: readonly (Vector & { readonly claims: Readonly<Record<string, unknown>> })[]
  readonly refused: readonly (Vector & { readonly code: string })[]
}

interface Vector {
  readonly name: string
  readonly token: string
  readonly body: string
  /** What the body asks for. */
  readonly operation: OperationType
}

const file = fileURLToPath(new URL('../../../docs/spec/context-token-vectors.json', import.meta.url))
/** The bytes 0 to 31, which nobody would use for anything else. */
const rootKey = Buffer.from(Uint8Array.from({ length: 32 }, (_, index) => index)).toString('base64url')
const trustDomain = 'behalf'
const now = 1763856010
const txn = '01980f6e-1111-7abc-8def-0123456789ab'
const jti = '3f0f8f6e-2222-4abc-8def-0123456789ab'
const query = '{"query":"{ order(id: \\"ord_7Kx2\\") { status } }"}'
const mutation = '{"query":"mutation { cancelOrder(orderId: \\"ord_7Kx2\\", reason: \\"é\\") { id } }"}'
const [{ key } = { key: Buffer.alloc(0) }] = parseKeys(deriveContextKeys(rootKey, 'orders', [1]))
const signer = createContextSigner({ rootKey, trustDomain, clock: () => now * 1000 })

const request = (more: Partial<ContextRequest> = {}): ContextRequest => ({
  to: 'orders',
  body: Buffer.from(query),
  operation: 'query',
  txn,
  facts: ['tier'],
  scopes: ['orders:read'],
  ...more,
})

/** Claims as ours are made, changed and signed by another library. */
function resign(
  token: string,
  change: (claims: { [name: string]: unknown; hop: Record<string, unknown> }) => void,
  header: Record<string, unknown> = {},
): Promise<string> {
  const claims = structuredClone(decodeJwt(token)) as Parameters<typeof change>[0]
  change(claims)
  return new SignJWT(claims)
    .setProtectedHeader({ typ: 'txntoken+jwt', alg: 'HS256', kid: 'orders/1', ...header })
    .sign(key)
}

async function makeVectors(): Promise<Vectors> {
  const read = signer.sign(ada, request())
  const write = signer.sign(
    agentOfAda,
    request({ body: Buffer.from(mutation), operation: 'mutation', approval: { id: 'apr_1', field: 'cancelOrder' } }),
  )
  const once = await resign(write, ({ hop }) => void (hop['jti'] = jti))
  const asQuery = { body: query, operation: 'query' } as const
  const asMutation = { body: mutation, operation: 'mutation' } as const
  const accepted = [
    { name: 'a query', token: read, ...asQuery },
    { name: "an agent's mutation with the user's approval", token: once, ...asMutation },
  ]
  const [header = '', payload = '', signature = ''] = read.split('.')
  const last = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const respelled = signature.slice(0, -1) + last[last.indexOf(signature.slice(-1)) + 1]
  const refused = [
    { name: 'without a signature', token: `${header}.${payload}.`, code: 'CONTEXT_MALFORMED', ...asQuery },
    {
      name: 'alg none',
      token: `${Buffer.from('{"typ":"txntoken+jwt","alg":"none","kid":"orders/1"}').toString('base64url')}.${payload}.${signature}`,
      code: 'CONTEXT_MALFORMED',
      ...asQuery,
    },
    {
      name: 'another header, rightly signed',
      token: await resign(read, () => undefined, { cty: 'JWT' }),
      code: 'CONTEXT_SIGNATURE',
      ...asQuery,
    },
    {
      name: 'the kid of another receiver',
      token: await resign(read, () => undefined, { kid: 'balance/1' }),
      code: 'CONTEXT_WRONG_RECEIVER',
      ...asQuery,
    },
    {
      name: 'the same signature, spelled differently',
      token: `${header}.${payload}.${respelled}`,
      code: 'CONTEXT_SIGNATURE',
      ...asQuery,
    },
    {
      name: 'another issuer',
      token: await resign(read, (claims) => void (claims['iss'] = 'behalf')),
      code: 'CONTEXT_MALFORMED',
      ...asQuery,
    },
    {
      name: 'another trust domain',
      token: await resign(read, (claims) => void (claims['aud'] = 'other')),
      code: 'CONTEXT_MALFORMED',
      ...asQuery,
    },
    {
      name: 'made for another receiver',
      token: await resign(read, ({ hop }) => void (hop['to'] = 'balance')),
      code: 'CONTEXT_WRONG_RECEIVER',
      ...asQuery,
    },
    {
      name: 'expired',
      token: await resign(read, (claims) => Object.assign(claims, { iat: now - 35, exp: now - 5 })),
      code: 'CONTEXT_EXPIRED',
      ...asQuery,
    },
    {
      name: 'not yet made',
      token: await resign(read, (claims) => Object.assign(claims, { iat: now + 6, exp: now + 36 })),
      code: 'CONTEXT_EXPIRED',
      ...asQuery,
    },
    {
      name: 'a life of more than 60 seconds',
      token: await resign(read, (claims) => void (claims['exp'] = now + 61)),
      code: 'CONTEXT_EXPIRED',
      ...asQuery,
    },
    { name: 'another body', token: read, body: `${query} `, operation: 'query', code: 'CONTEXT_WRONG_REQUEST' },
    {
      name: 'a mutation with the token of a query',
      token: await resign(read, ({ hop }) => void (hop['req'] = hashOf(mutation))),
      code: 'CONTEXT_WRONG_OPERATION',
      ...asMutation,
    },
    {
      name: 'a mutation without an id',
      token: await resign(write, ({ hop }) => void delete hop['jti']),
      code: 'CONTEXT_MALFORMED',
      ...asMutation,
    },
    {
      name: 'a tool call without an actor',
      token: await resign(once, (claims) => void delete claims['act']),
      code: 'CONTEXT_MALFORMED',
      ...asMutation,
    },
  ] as const
  return {
    rootKey,
    trustDomain,
    receiver: 'orders',
    epoch: 1,
    key: key.toString('base64url'),
    now,
    accepted: accepted.map((vector) => ({ ...vector, claims: decodeJwt(vector.token) })),
    refused,
  }
}

const hashOf = (body: string) => createHash('sha256').update(body).digest('base64url')

/** Judges a vector as our receivers do. */
async function judge(
  { trustDomain: aud, receiver, epoch, key: text, now: at }: Vectors,
  { token, body, operation }: Vector,
) {
  const verifier = createContextVerifier({
    receiver,
    keys: `${epoch}:${text}`,
    trustDomain: aud,
    clock: () => at * 1000,
  })
  const bytes = Buffer.from(body)
  const rawHeaders = ['Content-Length', String(bytes.length), 'Txn-Token', token]
  try {
    return (
      await verifier
        .verifyHead({ method: 'POST', url: '/graphql', rawHeaders })
        .verifyBody(bytes)
        .verifyOperation(operation, onceOnly())
    ).identity
  } catch (error) {
    if (error instanceof AppError) return error.code
    throw error
  }
}

describe('the vectors of the specification', () => {
  const vectors = JSON.parse(readFileSync(file, 'utf8')) as Vectors

  it('are what this package makes', async () => {
    await expect(`${JSON.stringify(await makeVectors(), null, 2)}\n`).toMatchFileSnapshot(file)
  })

  it.each(vectors.accepted)('[P1] accepts $name', async (vector) => {
    expect(await judge(vectors, vector)).toMatchObject({ subject: 'usr_ada', txn: vector.claims['txn'] })
  })

  it.each(vectors.refused)('[P4] refuses $name', async (vector) => {
    expect(await judge(vectors, vector)).toBe(vector.code)
  })

  it.each(vectors.accepted)(
    'can be checked with a HMAC, a HKDF and the text of the page alone: $name',
    ({ token, body, claims }) => {
      const info = `behalf/context/${vectors.receiver}/${vectors.epoch}`
      const derived = Buffer.from(hkdfSync('sha256', Buffer.from(vectors.rootKey, 'base64url'), '', info, 32))
      expect(derived.toString('base64url')).toBe(vectors.key)
      const [header = '', payload = '', signature] = token.split('.')
      expect(Buffer.from(header, 'base64url').toString()).toBe(
        `{"typ":"txntoken+jwt","alg":"HS256","kid":"${vectors.receiver}/${vectors.epoch}"}`,
      )
      expect(createHmac('sha256', derived).update(`${header}.${payload}`).digest('base64url')).toBe(signature)
      expect(JSON.parse(Buffer.from(payload, 'base64url').toString())).toEqual(claims)
      expect(claims['hop']).toMatchObject({ to: vectors.receiver, req: hashOf(body) })
    },
  )
})
