import type { FastifyInstance } from 'fastify'
import type { AnswerClient } from './client-request.ts'
import { ClientGone } from './client-gone.ts'

/** `/graphql`, for whatever is asked there, in whichever way. */
export function addGraphQLRoute(app: FastifyInstance, answer: AnswerClient): void {
  app.all('/graphql', async (request, reply) => {
    const { status, headers, text } = await answer(request, new ClientGone(reply.raw))
    reply.code(status).headers(headers)
    return text
  })
}
