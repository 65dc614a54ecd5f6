import { setTimeout } from 'node:timers/promises'
import { anonymousSubject, AppError, type Identity, type VerifiedBody, type VerifiedContext } from '@behalf/identity'
import type { Postgres } from '@behalf/postgres'
import { trace } from '@opentelemetry/api'
import type { FastifyBaseLogger } from 'fastify'
import type { Answer, ExecuteOperation } from './execute-operation.ts'
import { errorBody, toAppError } from './mask-error.ts'
import { reasonOf } from './note-errors.ts'
import type { ReadOperation } from './read-operation.ts'
import { readRequest } from './read-request.ts'
import { createWithheldReport } from './report-withheld.ts'
import { RequestContext } from './request-context.ts'
import { RequestTransaction } from './request-transaction.ts'
import type { EventStream, Streams } from './streams.ts'
import { unlessStopped } from './unless-stopped.ts'

export interface AnswerOptions {
  readonly db: Postgres<unknown> | null
  readonly executeOperation: ExecuteOperation
  readonly readOperation: ReadOperation
  readonly streams: Pick<Streams, 'open'>
  /** After this many milliseconds an operation is given up and undone. */
  readonly answerMs: number
}

/**
 * Parses a request whose body was verified, verifies what it asks for, and executes it in the caller's transaction.
 *
 * @param gone - aborts when nobody waits for the answer any more.
 * @returns for a subscription its events
 * @throws {AppError} where nothing was executed.
 */
export type AnswerRequest = (
  body: VerifiedBody,
  bytes: Uint8Array,
  gone: AbortSignal,
  log: FastifyBaseLogger,
) => Promise<Answer | EventStream>

export function createAnswerRequest({
  db,
  executeOperation,
  readOperation,
  streams,
  answerMs,
}: AnswerOptions): AnswerRequest {
  const consume = (id: string, expiresAt: Date) =>
    db?.consume(id, expiresAt) ?? Promise.reject(new Error('there is no replay store'))

  return async (body, bytes, gone, log) => {
    const operation = readOperation(readRequest(bytes))
    const { type, operationName } = operation
    // Before its token is used: a request that is refused here can be sent again as it is.
    db?.requireRoom()
    const verified = await body.verifyOperation(type, consume)
    const { identity } = verified
    trace.getActiveSpan()?.setAttribute('graphql.operation.type', type)
    log.debug({ txn: identity.txn, identity, operation: type, operationName }, 'context verified')

    if (type === 'subscription') return streams.open(operation, verified, gone, log)
    const isMutation = type === 'mutation'
    // What happens once is recorded under the name of whoever asked for it.
    if (isMutation && identity.subject === anonymousSubject) throw new AppError('UNAUTHENTICATED')
    // A mutation is carried through when its caller has gone: whether it happened must not depend on who listens.
    const givenUp = isMutation ? null : gone
    const lastMoment = performance.now() + answerMs

    /** @param withinMs - the same for all that are not run again: timers of one duration cost next to nothing. */
    async function attempt(withinMs: number): Promise<Answer | null> {
      const open = db && new RequestTransaction(db.bind(identity, isMutation ? 'write' : 'read'))
      const execute = async (): Promise<Answer> => {
        const context = new RequestContext(verified, open, createWithheldReport(identity, log, db?.audit ?? null))
        const work = executeOperation(operation, context)
        return await unlessStopped(work, withinMs, givenUp).catch((error: unknown) => {
          // Execution cannot be cancelled. What it had asked for before it was given up may have run after that.
          void work.catch(() => undefined).then(() => open?.end())
          throw error
        })
      }
      try {
        return isMutation ? await runOnce(open, verified, execute) : await execute()
      } catch (thrown) {
        if (isMutation && open?.mayBeRepeated && performance.now() < lastMoment) return null
        return failed(toAppError(thrown), identity, log)
      } finally {
        const ended = open?.end()
        // What was only read needs no undoing: its answer does not wait for the connection to be given back.
        if (isMutation) await ended
      }
    }

    for (let withinMs = answerMs; ; withinMs = Math.max(0, lastMoment - performance.now())) {
      const answer = await attempt(withinMs)
      if (answer) return answer
      // Those who got in each other's way do not all come back at the same moment.
      await setTimeout(Math.random() * longestPauseMs)
    }
  }
}

/** Before a mutation is run again that others at the same time kept from being serialized. */
const longestPauseMs = 20

/**
 * A mutation as a whole is one effect, recorded with its answer: a repeat is given that answer and changes nothing.
 * One of which nothing took effect is not recorded: a tool call that was refused, or failed, may be tried again.
 */
async function runOnce(
  open: RequestTransaction<unknown> | null,
  verified: VerifiedContext,
  execute: () => Promise<Answer>,
): Promise<Answer> {
  const id = verified.identity.actor?.call ?? verified.jti
  if (id === null) throw new AppError('INTERNAL', undefined, { cause: 'a mutation without an id' })
  if (open === null) throw new AppError('INTERNAL', undefined, { cause: 'a mutation without a database' })
  const work = async (): Promise<Answer> => {
    const answer = await execute()
    if (open.mayBeRepeated) throw new AppError('UNAVAILABLE', undefined, { cause: 'not serialized' })
    if (!open.hasEffect) throw new NothingDone(answer)
    return answer
  }
  try {
    const answer = await open.perform({ id, request: verified.request }, work)
    await open.commit()
    return answer
  } catch (error) {
    if (error instanceof NothingDone) return error.answer
    throw error
  }
}

/** Makes a transaction roll back, and is no failure. */
class NothingDone extends Error {
  readonly answer: Answer

  constructor(answer: Answer) {
    super('no field of the mutation took effect')
    this.answer = answer
  }
}

/** Something may have been executed, and none of it is left. */
function failed(error: AppError, { txn }: Identity, log: FastifyBaseLogger): Answer {
  const fields = { txn, code: error.code }
  if (error.code === 'INTERNAL') log.error({ ...fields, err: error.cause }, 'operation failed')
  else log.warn({ ...fields, reason: reasonOf(error) }, 'operation failed')
  return { status: error.status, body: errorBody(error, null) }
}
