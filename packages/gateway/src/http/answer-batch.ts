import { AppError } from '@behalf/identity'
import type { FastifyBaseLogger } from 'fastify'
import type { RequestAudit } from '../audit/audit-requests.ts'
import { RequestRecord } from '../audit/request-record.ts'
import type { GoneSignal } from '../execute/gone-signal.ts'
import type { LimitedCaller, RateLimits } from '../limits/rate-limits.ts'
import type { RevocationGuard } from '../revocation/revocation-guard.ts'
import { inSpan } from '../tracing.ts'
import type { ClientAnswer } from './client-request.ts'
import { makeTxn } from './make-txn.ts'
import { parseJson } from './parse-json.ts'
import { noteRefusal, type WriteError } from './refuse.ts'

/** Several operations in one request: a JSON array of what each would have sent, answered by an array in the same order. */
export interface BatchOptions {
  /** Operations in one request. */
  readonly most: number
}

/** One operation of a request: a transaction of its own. */
export interface BatchedOperation {
  readonly txn: string
  readonly record: RequestRecord
  /** JSON, as if it had been sent alone. */
  readonly body: Buffer
}

/**
 * Answers the operations of a batch one after the other, as if their client had sent them so: each mutation sees what those
 * before it did, and a request is never more than one operation under way. Each has its own `txn`, limits, cost and record,
 * counts as a request of its caller's, and is not begun for one who was ended meanwhile.
 *
 * @param first - that of the request, which is that of its first operation.
 * @param signal - what was not begun when the client goes is not.
 * @throws {AppError} `BATCH_TOO_LARGE`, `BAD_REQUEST` for one that is empty; then nothing is executed.
 */
export type AnswerBatch = (
  body: Buffer,
  caller: LimitedCaller,
  first: Omit<BatchedOperation, 'body'>,
  signal: GoneSignal,
  answer: (operation: BatchedOperation) => Promise<ClientAnswer>,
) => Promise<ClientAnswer>

export function createAnswerBatch(options: {
  readonly batching: BatchOptions
  readonly guard: Pick<RevocationGuard, 'requireInForce'>
  readonly rates: Pick<RateLimits, 'request'>
  readonly audit: Pick<RequestAudit, 'ended'>
  readonly writeError: WriteError
  readonly log: FastifyBaseLogger
  readonly clock?: () => number
}): AnswerBatch {
  const { batching, guard, rates, audit, writeError, log, clock = Date.now } = options

  /** What was asked of the first when the request was let in. */
  async function readmit(caller: LimitedCaller): Promise<void> {
    const { principal } = caller
    if (principal.expiresAt !== null && principal.expiresAt * 1000 <= clock()) throw new AppError('CREDENTIAL_INVALID')
    guard.requireInForce(principal)
    await rates.request(caller)
  }

  async function answered(
    answer: () => Promise<ClientAnswer>,
    own: Omit<BatchedOperation, 'body'>,
  ): Promise<ClientAnswer> {
    try {
      return await answer()
    } catch (error) {
      const known = noteRefusal(error, log.child({ txn: own.txn }))
      own.record.refusal = known.code
      const { body } = writeError(known, own.txn)
      return { status: known.status, headers: {}, text: JSON.stringify(body) }
    }
  }

  /** One that is not the first. */
  async function next(caller: LimitedCaller, answer: (own: Omit<BatchedOperation, 'body'>) => Promise<ClientAnswer>) {
    const txn = makeTxn()
    const own = { txn, record: new RequestRecord(txn) }
    const done = await inSpan('batched operation', { attributes: { 'behalf.txn': txn } }, () =>
      answered(async () => {
        await readmit(caller)
        return answer(own)
      }, own),
    )
    audit.ended(own.record, caller.principal, { status: done.status, ignoredHeaders: [] })
    return done
  }

  return async (body, caller, first, signal, answer) => {
    const batch = requireBatch(parseJson(body), batching.most)
    const answers: ClientAnswer[] = []
    for (const asked of batch) {
      if (signal.aborted) break
      const alone = Buffer.from(JSON.stringify(asked))
      const ask = (own: Omit<BatchedOperation, 'body'>) => answer({ ...own, body: alone })
      answers.push(await (answers.length === 0 ? answered(() => ask(first), first) : next(caller, ask)))
    }
    const contentType = answers.find(({ headers }) => headers['content-type'])?.headers['content-type']
    return {
      status: 200,
      headers: { 'content-type': contentType ?? 'application/json; charset=utf-8' },
      text: `[${answers.map(({ text }) => text.trimEnd()).join(',')}]\n`,
    }
  }
}

function requireBatch(batch: unknown, most: number): readonly unknown[] {
  if (!Array.isArray(batch) || batch.length === 0)
    throw new AppError('BAD_REQUEST', 'There is no operation in this batch.')
  if (batch.length > most)
    throw new AppError('BATCH_TOO_LARGE', `There are ${batch.length} operations in this request, at most ${most}.`)
  return batch
}

/** Whether a body is an array: what else it may be begins otherwise (RFC 8259 2). */
export function isBatch(body: Buffer): boolean {
  for (const byte of body) if (!whitespace.has(byte)) return byte === 0x5b
  return false
}

const whitespace: ReadonlySet<number> = new Set([0x20, 0x09, 0x0a, 0x0d])
