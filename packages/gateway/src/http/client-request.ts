import type { IncomingMessage } from 'node:http'
import type { FastifyRequest } from 'fastify'
import type { ClientGone } from './client-gone.ts'

/** A request of a client, whoever took it in: of the framework's requests, what is read of them here. */
export interface ClientRequest extends Pick<FastifyRequest, 'id' | 'method' | 'url' | 'ip' | 'headers'> {
  readonly raw: Pick<IncomingMessage, 'rawHeaders'>
  /** Bytes, if it has a body. */
  readonly body: unknown
}

/** All of an answer, but for what each has. */
export interface ClientAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly text: string
}

export type AnswerClient = (request: ClientRequest, gone: ClientGone) => Promise<ClientAnswer>
