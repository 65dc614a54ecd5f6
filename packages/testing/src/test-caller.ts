import { contextTokenHeader, createContextSigner, type OperationType, type Principal } from '@behalf/identity'
import { randomUUID } from 'node:crypto'
import { getOperationAST, parse } from 'graphql'
import { type RawAnswer, type RawRequest, send } from './send.ts'
import { type TestClaims, testPrincipal } from './test-principal.ts'

/** What a subgraph answered. */
export interface TestAnswer {
  /** HTTP status. */
  readonly status: number
  readonly data: TestData | null
  readonly errors: readonly TestError[]
}

export interface TestData {
  readonly [field: string]: unknown
}

export interface TestError {
  readonly message: string
  readonly path?: readonly (string | number)[]
  readonly extensions: { readonly code: string }
}

export interface AgentClaims {
  readonly tool: string
  /** The tool call; a new one by default. */
  readonly call?: string
}

/** Somebody who calls a subgraph through the gateway, as far as the subgraph can tell. */
export interface TestCaller {
  /** Such as `usr_ada`. */
  readonly subject: string
  /** Such as `acme`; null for a caller without a credential. */
  readonly tenant: string | null
  run(query: string, variables?: Readonly<Record<string, unknown>>): Promise<TestAnswer>
  /** An agent that acts for this caller. */
  agent(claims: AgentClaims): TestCaller
  /** The same agent with the user's approval of `field`, a Mutation field. */
  approved(field: string): TestCaller
  /** The request that `run` sends, to be tampered with. */
  signed(query: string, variables?: Readonly<Record<string, unknown>>, tampered?: TamperedToken): SignedRequest
}

/** How a context token differs from the one that the gateway would make. */
export interface TamperedToken {
  /** Made for another receiver. */
  readonly to?: string
  /** Made for another kind of operation. */
  readonly operation?: OperationType
}

/** A request and the context token that was made for it. */
export interface SignedRequest extends RawRequest {
  readonly token: string
  readonly body: Uint8Array
}

export interface CallerOptions {
  readonly url: string
  readonly receiver: string
  readonly rootKey: string
  readonly trustDomain: string
  readonly name: string | null
  readonly claims: TestClaims
  readonly approval?: string
}

export function createTestCaller(options: CallerOptions): TestCaller {
  const { url, receiver, rootKey, trustDomain, name, claims, approval } = options
  const principal: Principal = testPrincipal(name, claims)

  const signer = createContextSigner({ rootKey, trustDomain })

  function signed(
    query: string,
    variables: Readonly<Record<string, unknown>> = {},
    { to = receiver, operation = operationOf(query) }: TamperedToken = {},
  ): SignedRequest {
    const body = new TextEncoder().encode(JSON.stringify({ query, variables }))
    const token = signer.sign(principal, {
      to,
      body,
      operation,
      ...(operation === 'subscription' && { until: Math.floor(Date.now() / 1000) + 60 }),
      txn: randomUUID(),
      facts: Object.keys(principal.facts),
      scopes: principal.scopes,
      // What a `@delegates` field is given of a person; only a gateway could open it.
      ...(operation === 'mutation' && name !== null && principal.actor === null && { ticket: 'sealed' }),
      ...(approval !== undefined && { approval: { id: `apr_${randomUUID()}`, field: approval } }),
    })
    return { token, headers: headersOf(body, token), body }
  }

  return {
    subject: principal.subject,
    tenant: principal.tenant,
    signed,
    run: async (query, variables) => readAnswer(await send(url, signed(query, variables))),
    agent({ tool, call = `call_${randomUUID()}` }) {
      const actor = { agent: 'assistant', delegation: 'dlg_test', run: 'run_test', tool, call, parent: randomUUID() }
      return createTestCaller({ ...options, claims: { ...claims, actor } })
    },
    approved: (field) => createTestCaller({ ...options, approval: field }),
  }
}

export function headersOf(body: Uint8Array, ...tokens: string[]): string[] {
  return [
    'Content-Type',
    'application/json',
    'Content-Length',
    String(body.byteLength),
    ...tokens.flatMap((token) => [contextTokenHeader, token]),
  ]
}

export function readAnswer({ status, body }: RawAnswer): TestAnswer {
  const { data = null, errors = [] } = JSON.parse(body) as Partial<TestAnswer>
  return { status, data, errors }
}

export function operationOf(query: string): OperationType {
  const operation = getOperationAST(parse(query))
  if (!operation) throw new Error('The text has to hold one operation.')
  return operation.operation
}
