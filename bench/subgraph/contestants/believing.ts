import { contextTokenHeader, type ContextVerifier, type VerifiedContext } from '@behalf/identity'
import { createLog } from '@behalf/process'
import { createAnswerRequest } from '../../../packages/subgraph/src/answer-request.ts'
import { buildSchema } from '../../../packages/subgraph/src/build-schema.ts'
import { createExecuteOperation } from '../../../packages/subgraph/src/execute-operation.ts'
import { createHttpServer } from '../../../packages/subgraph/src/http-server.ts'
import { defaultLimits as limits } from '../../../packages/subgraph/src/limits.ts'
import { createNoteErrors } from '../../../packages/subgraph/src/note-errors.ts'
import { createReadOperation } from '../../../packages/subgraph/src/read-operation.ts'
import { protectSchema } from '../../../packages/subgraph/src/protect-schema.ts'
import { createStreams } from '../../../packages/subgraph/src/streams.ts'
import { ready } from '../../gateway/contest.ts'
import { name, resolvers, typeDefs } from '../thing.ts'

// As createSubgraph puts it together, but for the verifier: this one reads who calls from the token, and checks nothing.
const verifier: ContextVerifier = {
  verifyHead({ rawHeaders }) {
    const token = rawHeaders[rawHeaders.indexOf(contextTokenHeader) + 1] ?? ''
    const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Claims
    const { sub, scope, rctx, tctx, txn } = claims
    const caller = { subject: sub, tenant: tctx.tenant, scopes: scope.split(' '), facts: tctx.facts }
    const told = { client: rctx.client, authTime: rctx.auth_time, acr: rctx.acr, actor: null, txn, approval: null }
    const identity = { ...caller, ...told } as unknown as VerifiedContext['identity']
    const verified = { identity, request: '', jti: null, until: null, ticket: null }
    const body = { verifyOperation: () => Promise.resolve(verified) }
    return { txn, contentLength: 0, verifyBody: () => body }
  },
}
interface Claims {
  readonly sub: string
  readonly scope: string
  readonly txn: string
  readonly rctx: { readonly client: string; readonly auth_time: number; readonly acr: string | null }
  readonly tctx: { readonly tenant: string; readonly facts: object }
}

const log = createLog(name, 'warn')
const noteErrors = createNoteErrors(log, null)
const schema = protectSchema(buildSchema(name, typeDefs, resolvers))
const streams = createStreams({ schema, db: null, noteErrors, answerMs: limits.answerMs, clock: Date.now })
const executeOperation = createExecuteOperation(schema, noteErrors)
const readOperation = createReadOperation(schema)
const answerRequest = createAnswerRequest({
  db: null,
  executeOperation,
  streams,
  readOperation,
  answerMs: limits.answerMs,
})
const app = createHttpServer({ verifier, answerRequest, ready: async () => {}, limits, refusals: null, log })
ready(`${await app.listen({ port: 0, host: '127.0.0.1' })}/graphql`)
