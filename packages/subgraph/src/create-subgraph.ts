import { createContextVerifier, createEventCounter, type Policies } from '@behalf/identity'
import type { Postgres } from '@behalf/postgres'
import { createLog, type LogLevel } from '@behalf/process'
import type { GraphQLSchema } from 'graphql'
import { createAnswerRequest } from './answer-request.ts'
import { buildSchema } from './build-schema.ts'
import { createExecuteOperation } from './execute-operation.ts'
import { createHttpServer } from './http-server.ts'
import { defaultLimits, type Limits } from './limits.ts'
import { createNoteErrors } from './note-errors.ts'
import { protectSchema } from './protect-schema.ts'
import { createReadOperation } from './read-operation.ts'
import type { Resolvers } from './resolvers.ts'
import { createStreams } from './streams.ts'

export interface SubgraphOptions<Tables> {
  /** As in behalf.json: the gateway makes context tokens for this name. */
  readonly name: string
  /** SDL of the schema. */
  readonly typeDefs: string
  readonly resolvers: Resolvers<Tables>
  /** A function for each name that the schema uses in `@policy`; decided here again, whatever the gateway decided. */
  readonly policies?: Policies
  /** Value of `BEHALF_CONTEXT_KEYS`. */
  readonly contextKeys: string
  /** Default `behalf`. */
  readonly trustDomain?: string
  /** Required where the schema has mutations. Closed together with the subgraph. */
  readonly db?: Postgres<Tables>
  /** Default `info`; `debug` shows what is known of each caller. */
  readonly logLevel?: LogLevel
  /** Receives lines of JSON; default is standard output. */
  readonly log?: { write(line: string): void }
  readonly limits?: Partial<Limits>
  /** Milliseconds since the epoch. */
  readonly clock?: () => number
}

export interface Subgraph {
  readonly name: string
  /** What it serves, with every rule of the schema around the resolvers. */
  readonly schema: GraphQLSchema
  /** @param address - `port` 0 takes any free one; `host` defaults to 127.0.0.1. */
  listen(address: { port: number; host?: string }): Promise<ListeningSubgraph>
}

export interface ListeningSubgraph {
  /** Of `POST /graphql`. */
  readonly url: string
  /** Turns `/readyz` red, ends streams, lets requests that are under way end (within limits), and closes the database. */
  close(): Promise<void>
}

/**
 * A subgraph that answers only what the gateway asks on behalf of a caller: every request has to carry a context token
 * made for this subgraph and exactly this body, and every rule in the schema is enforced here once more.
 *
 * @throws {Error} where the schema, its rules or its resolvers are wrong, a policy is missing, or mutations have no database.
 * @throws {TypeError} where `contextKeys` cannot be used.
 */
export function createSubgraph<Tables = unknown>(options: SubgraphOptions<Tables>): Subgraph {
  const { name, contextKeys, trustDomain = 'behalf', policies = {}, logLevel = 'info', clock = Date.now } = options
  const limits = { ...defaultLimits, ...options.limits }
  const db = (options.db ?? null) as Postgres<unknown> | null
  const verifier = createContextVerifier({
    receiver: name,
    keys: contextKeys,
    trustDomain,
    maxBodyBytes: limits.bodyBytes,
    clock,
  })
  const schema = protectSchema(buildSchema(name, options.typeDefs, options.resolvers, policies), policies)
  if (db === null && Object.keys(schema.getMutationType()?.getFields() ?? {}).length > 0) {
    throw new Error(
      `Subgraph "${name}" has mutations but no db: give createSubgraph a \`db: postgres(...)\`, in which all its replicas` +
        ' remember which mutations they have seen.',
    )
  }

  return {
    name,
    schema,
    async listen({ port, host = '127.0.0.1' }) {
      const log = createLog(name, logLevel, options.log)
      const audit = db?.audit ?? null
      audit?.onLost((count, err) => log.error({ count, err }, 'audit events lost'))
      const refusals = audit && createEventCounter(audit)
      const noteErrors = createNoteErrors(log, audit)
      const streams = createStreams({ schema, db, noteErrors, answerMs: limits.answerMs, clock })
      const answerRequest = createAnswerRequest({
        db,
        executeOperation: createExecuteOperation(schema, noteErrors),
        streams,
        readOperation: createReadOperation(schema),
        answerMs: limits.answerMs,
      })
      let closing: Promise<void> | null = null
      const ready = async () => {
        if (closing) throw new Error('closing')
        await db?.ready()
      }
      const app = createHttpServer({ verifier, answerRequest, ready, limits, refusals, log })
      const address = await app.listen({ port, host })

      async function close(): Promise<void> {
        const late = Promise.withResolvers<void>()
        const timer = setTimeout(() => {
          app.server.closeAllConnections()
          late.resolve()
        }, limits.drainMs)
        streams.close()
        await app.close()
        refusals?.flush()
        // What a mutation that is still at work has written is undone when the process ends.
        await Promise.race([db?.close(), late.promise])
        clearTimeout(timer)
      }
      return { url: `${address}/graphql`, close: () => (closing ??= close()) }
    },
  }
}
