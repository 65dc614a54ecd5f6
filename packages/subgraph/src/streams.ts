import { AppError, type VerifiedContext } from '@behalf/identity'
import type { Postgres } from '@behalf/postgres'
import type { FastifyBaseLogger } from 'fastify'
import {
  createSourceEventStream,
  execute,
  type ExecutionResult,
  getOperationAST,
  type GraphQLSchema,
  getVariableValues,
} from 'graphql'
import { errorBody, maskError, toAppError } from './mask-error.ts'
import type { NoteErrors } from './note-errors.ts'
import type { Operation } from './read-operation.ts'
import { createWithheldReport } from './report-withheld.ts'
import { RequestContext } from './request-context.ts'
import { RequestTransaction } from './request-transaction.ts'
import { createSubscribeContext } from './subscribe-context.ts'
import { unlessStopped } from './unless-stopped.ts'

/** The events of a subscription, each the JSON of an execution result. It has to be read, at least to its first. */
export interface EventStream {
  readonly events: AsyncIterable<string>
}

export interface Streams {
  /**
   * Opens one, which ends by itself: when the context says so, and when nobody listens any more (`gone`).
   *
   * @throws {AppError} where nothing was executed.
   */
  open(operation: Operation, verified: VerifiedContext, gone: AbortSignal, log: FastifyBaseLogger): Promise<EventStream>
  /** Ends all of them, each with an error that says why. */
  close(): void
}

interface StreamsOptions {
  readonly schema: GraphQLSchema
  readonly db: Postgres<unknown> | null
  readonly noteErrors: NoteErrors
  /** For each event. */
  readonly answerMs: number
  readonly clock: () => number
}

/** Longer than node's timers can wait. */
const longestMs = 2 ** 31 - 1

export function createStreams({ schema, db, noteErrors, answerMs, clock }: StreamsOptions): Streams {
  const endings = new Set<(reason: AppError) => void>()

  async function open(
    operation: Operation,
    verified: VerifiedContext,
    gone: AbortSignal,
    log: FastifyBaseLogger,
  ): Promise<EventStream> {
    const { identity, until } = verified
    requireSound(schema, operation)
    const { document, operationName, variables: variableValues } = operation
    const execution = { schema, document, operationName, variableValues }
    const over = new AbortController()
    const end = (reason: AppError | null) => over.abort(reason)
    const leave = () => end(null)
    const msLeft = (until ?? 0) * 1000 - clock()
    const timer = setTimeout(() => end(new AppError('STREAM_EXPIRED')), Math.min(Math.max(0, msLeft), longestMs))
    gone.addEventListener('abort', leave, { once: true })
    endings.add(end)
    if (gone.aborted) leave()
    const release = () => {
      clearTimeout(timer)
      gone.removeEventListener('abort', leave)
      endings.delete(end)
      end(null)
    }

    /** With a transaction of its own: it sees what is there now, and nothing is held until the next. */
    async function show(event: unknown): Promise<ExecutionResult> {
      const transaction = db && new RequestTransaction(db.bind(identity, 'read'))
      const context = new RequestContext(verified, transaction, createWithheldReport(identity, log, db?.audit ?? null))
      try {
        const work = Promise.resolve(execute({ ...execution, rootValue: event, contextValue: context }))
        return await unlessStopped(work, answerMs, over.signal)
      } finally {
        await transaction?.end()
      }
    }

    async function* events(): AsyncGenerator<string> {
      let iterator: AsyncIterator<unknown> | undefined
      try {
        const contextValue = createSubscribeContext(db, identity, over.signal)
        const source = await unlessStopped(
          createSourceEventStream({ ...execution, contextValue }),
          answerMs,
          over.signal,
        )
        if (!(Symbol.asyncIterator in source)) return yield toText({ data: null, ...source })
        iterator = source[Symbol.asyncIterator]()
        for (;;) {
          const next = await nextUnlessOver(iterator, over.signal)
          if (next === null || next.done) break
          yield toText(await show(next.value))
        }
        if (over.signal.reason instanceof AppError) yield errorBody(over.signal.reason)
      } catch (thrown) {
        const reason: unknown = over.signal.reason
        const error = reason instanceof AppError ? reason : toAppError(thrown)
        if (!over.signal.aborted) log.error({ txn: identity.txn, code: error.code, err: error.cause }, 'stream failed')
        yield errorBody(error)
      } finally {
        release()
        // It may be waiting for something: that it is over, it is told by its signal.
        iterator?.return?.().catch(() => undefined)
      }
    }

    function toText({ data, errors = [] }: ExecutionResult): string {
      if (errors.length > 0) noteErrors(errors, identity)
      const masked = errors.map((error) => maskError(error.toJSON(), error))
      return JSON.stringify({ data, ...(masked.length > 0 && { errors: masked }) })
    }

    return { events: events() }
  }

  return {
    open,
    close() {
      for (const end of endings)
        end(new AppError('UNAVAILABLE', 'This part of the graph is stopping. Subscribe again.'))
    },
  }
}

/** @throws {AppError} */
function requireSound(schema: GraphQLSchema, { document, operationName, variables, faults }: Operation): void {
  const [fault] = faults()
  if (fault) throw new AppError('GRAPHQL_VALIDATION_FAILED', fault.message)
  const { variableDefinitions = [] } = getOperationAST(document, operationName) ?? {}
  const [misfit] = getVariableValues(schema, variableDefinitions, variables).errors ?? []
  if (misfit) throw new AppError('BAD_USER_INPUT', misfit.message)
}

/** Null when the stream is over first. */
function nextUnlessOver<T>(iterator: AsyncIterator<T>, over: AbortSignal): Promise<IteratorResult<T> | null> {
  if (over.aborted) return Promise.resolve(null)
  return new Promise((resolve, reject) => {
    const leave = () => resolve(null)
    over.addEventListener('abort', leave, { once: true })
    iterator
      .next()
      .then(resolve, reject)
      .finally(() => over.removeEventListener('abort', leave))
  })
}
