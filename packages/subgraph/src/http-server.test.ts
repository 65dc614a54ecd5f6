import { Agent, request, type IncomingMessage } from 'node:http'
import { expect, it } from 'vitest'
import { createSubgraph } from './create-subgraph.ts'
import { contextKeys, encode, headersOf, links, logBook, receiver, send, sign, trustDomain } from './fixtures.ts'

it('of a subgraph that closes, a connection ends with the answer it was waiting for', async () => {
  const arrived = Promise.withResolvers<void>()
  const gate = Promise.withResolvers<string>()
  const subgraph = await createSubgraph({
    name: receiver,
    typeDefs: `${links} type Query { greeting: String slow: String }`,
    resolvers: {
      Query: {
        greeting: () => 'hello',
        slow: () => {
          arrived.resolve()
          return gate.promise
        },
      },
    },
    contextKeys,
    trustDomain,
    log: logBook(),
  }).listen({ port: 0 })
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const ask = async (query: string) => {
    const body = encode({ query })
    const answer = Promise.withResolvers<IncomingMessage>()
    const { host } = new URL(subgraph.url)
    request(subgraph.url, { method: 'POST', agent, headers: ['Host', host, ...headersOf(body, sign(body))] })
      .once('response', answer.resolve)
      .once('error', answer.reject)
      .end(body)
    const incoming = await answer.promise
    return { connection: incoming.headers.connection, text: (await incoming.toArray()).join('') }
  }

  expect(await ask('{ greeting }')).toEqual({ connection: 'keep-alive', text: '{"data":{"greeting":"hello"}}\n' })
  const running = ask('{ slow }')
  await arrived.promise
  let closed = false
  const closing = subgraph.close().then(() => (closed = true))
  const isOpen = () =>
    send(subgraph.url, { headers: [] }).then(
      () => true,
      () => false,
    )
  await expect.poll(isOpen).toBe(false)
  gate.resolve('done')
  expect(await running).toEqual({ connection: 'close', text: '{"data":{"slow":"done"}}\n' })
  // The client keeps its end open for as long as it is let: only `connection: close` ends this in a second.
  await expect.poll(() => closed).toBe(true)
  await closing
  agent.destroy()
})
