import type { ServerResponse } from 'node:http'
import { AppError, type Principal, readErrorDetails } from '@behalf/identity'
import type { FastifyBaseLogger } from 'fastify'
import type { RequestAudit } from '../audit/audit-requests.ts'
import { RequestRecord } from '../audit/request-record.ts'
import { describeCause } from '../describe-cause.ts'
import type { PlannedSubscription } from '../execute/plan/planned-subscription.ts'
import type { RequestContext } from '../execute/request-context.ts'
import type { SubgraphResponse } from '../execute/subgraph-response.ts'
import type { ServedGraph } from '../graph/serve-graph.ts'
import type { ServedGraphs, TakenGraph } from '../graph/served-graphs.ts'
import { EventWriter } from './event-writer.ts'
import { goesOn } from './goes-on.ts'
import type { OpenStream } from './open-streams.ts'
import type { StreamRequest } from './read-stream-request.ts'
import type { SubgraphListener, SubgraphStream } from './subgraph-streams.ts'

/** What streams of one gateway have in common. */
export interface StreamParts {
  readonly graphs: ServedGraphs
  readonly audit: RequestAudit
  readonly log: FastifyBaseLogger
  /** Milliseconds after which a stream that is not read is ended. */
  readonly stallMs: number
  readonly clock: () => number
}

/** Of whom it is, and for whom the rest of each event is asked. */
export type StreamCaller = Pick<RequestContext, 'principal' | 'address' | 'txn' | 'trace'>

/**
 * A subscription of a client's, from when it is let in until it is over. It may be silent for hours, one of thousands: it
 * holds what its next event needs, and nothing of the request that began it, least of all its credential.
 */
export class ClientStream implements OpenStream, SubgraphListener {
  readonly until: number
  readonly #caller: StreamCaller
  readonly #parts: StreamParts
  readonly #writer: EventWriter
  readonly #graph: TakenGraph
  #listening: Listening | null = null
  /** Of what is under way for it: of its beginning, or of an event. */
  #working: AbortController | null = null
  /** Why nothing more may come of it. */
  #refusal: AppError | null = null
  /** Its client was told that there is no more, or has gone. */
  #isOver = false

  /** @param until - in seconds since the epoch */
  constructor(caller: StreamCaller, until: number, response: ServerResponse, parts: StreamParts) {
    this.#caller = caller
    this.until = until
    this.#parts = parts
    this.#writer = new EventWriter(response)
    this.#graph = parts.graphs.take()
  }

  get principal(): Principal {
    return this.#caller.principal
  }

  get #isOpen(): boolean {
    return !this.#isOver && this.#refusal === null
  }

  /** The same way as an operation of `/graphql` up to where it would be planned; whatever is wrong with it is an event. */
  async begin(asked: StreamRequest, record: RequestRecord): Promise<void> {
    this.#writer.begin()
    try {
      let authorized = null as PlannedSubscription | null
      const { result } = await this.#work(record, (context) =>
        this.#graph.graph.server.execute(asked, { ...context, subscribe: (planned) => (authorized = planned) }),
      )
      if (authorized === null) return this.over(null, result)
      this.#listening = { asked, subscription: authorized, operation: record.operation, subgraph: null, forget: null }
      // It ended while it began.
      if (this.#isOver && this.#refusal) this.#recordEnd(this.#refusal)
    } catch (error) {
      this.over(error)
    }
  }

  /** Once it has begun, if it has: tells of each event from now on. */
  async listen(record: RequestRecord): Promise<void> {
    const listening = this.#listening
    if (listening === null || !this.#isOpen) return
    const { graphs } = this.#parts
    const { graph } = this.#graph
    listening.forget = graphs.onReplaced((another) => this.#endUnlessAllowedBy(another))
    // While it began.
    if (graph !== graphs.current) await this.#endUnlessAllowedBy(graphs.current)
    if (!this.#isOpen) return
    try {
      listening.subgraph = graph.ask(listening.subscription, { ...this.#caller, record, until: this.until }, this)
    } catch (error) {
      this.over(error)
    }
    if (this.#isOver) listening.subgraph?.leave()
  }

  async hear(event: SubgraphResponse): Promise<void> {
    const { clock, stallMs } = this.#parts
    if (clock() >= this.until * 1000) this.end(new AppError('STREAM_EXPIRED'))
    const listening = this.#listening
    if (listening === null || !this.#isOpen) return
    const { txn } = this.#caller
    // What a stream was allowed was written down when it began; what it goes on to ask is not kept for as long as it lasts.
    const result = await this.#work(new RequestRecord(txn), (context) => listening.subscription.answer(event, context))
    // What is written after the end is not of the stream.
    if (this.#isOpen) await this.#writer.next({ ...result, extensions: { txn } }, stallMs)
  }

  over(error: unknown, last?: object): void {
    // Whoever refused it tells why.
    if (!this.#isOpen) return
    if (error === null) this.#complete(last)
    else this.#fail(error)
  }

  refuse(reason: AppError): void {
    this.#refusal ??= reason
  }

  close(): void {
    if (this.#isOver || this.#refusal === null) return
    this.#fail(this.#refusal)
    if (this.#listening) this.#recordEnd(this.#refusal)
  }

  /** It is over, for `reason`. */
  end(reason: AppError): void {
    this.refuse(reason)
    this.close()
  }

  /** Its client has gone. */
  leave(): void {
    this.#isOver = true
    this.#working?.abort()
    this.#listening?.subgraph?.leave()
    this.#listening?.forget?.()
    this.#graph[Symbol.dispose]()
  }

  beat(): void {
    // Heartbeats are some at a time: it may have ended meanwhile.
    if (!this.#isOver) this.#writer.beat()
  }

  async #work<T>(record: RequestRecord, work: (context: RequestContext) => Promise<T>): Promise<T> {
    const working = new AbortController()
    this.#working = working
    try {
      return await work({ ...this.#caller, approval: null, record, signal: working.signal })
    } finally {
      this.#working = null
    }
  }

  async #endUnlessAllowedBy({ server }: ServedGraph): Promise<void> {
    if (this.#listening === null || this.#isOver) return
    const { asked, subscription } = this.#listening
    const context = { ...this.#caller, approval: null, record: new RequestRecord(this.#caller.txn), signal: null }
    const isAllowed = await goesOn(server, asked, context, subscription).catch(() => false)
    if (!isAllowed) this.end(new AppError('GRAPH_CHANGED'))
  }

  #complete(last?: object): void {
    if (this.#isOver) return
    this.leave()
    this.#writer.complete(last)
  }

  /** An error is the last event: after it nothing is known of what follows. */
  #fail(thrown: unknown): void {
    if (this.#isOver) return
    const error = thrown instanceof AppError ? thrown : new AppError('INTERNAL', undefined, { cause: thrown })
    const { code, message, details } = error
    const { log } = this.#parts
    const { txn } = this.#caller
    const fields = { txn, code, reason: describeCause(error.cause) }
    if (code === 'INTERNAL') log.error({ ...fields, err: error.cause }, 'stream failed')
    else log.info(fields, 'stream ended')
    this.#complete({ errors: [{ message, extensions: { code, ...readErrorDetails(details) } }], extensions: { txn } })
  }

  /** That it was allowed was one decision; that it no longer is, is another. */
  #recordEnd({ code }: AppError): void {
    const record = new RequestRecord(this.#caller.txn)
    record.operation = this.#listening?.operation ?? null
    record.refusal = code
    this.#parts.audit.ended(record, this.principal, { status: 200, ignoredHeaders: [] })
  }
}

/** From when a stream has begun. */
interface Listening {
  readonly asked: StreamRequest
  readonly subscription: PlannedSubscription
  readonly operation: RequestRecord['operation']
  subgraph: SubgraphStream | null
  /** How not to be told of another graph. */
  forget: (() => void) | null
}
