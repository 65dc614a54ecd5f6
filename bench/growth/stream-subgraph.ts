// A subgraph whose subscriptions begin and then say nothing. It checks no token: what that costs is another matter.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

const server = createServer((request, response) => {
  request.resume().on('end', () => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write('event: next\ndata: {"data":{"ticks":{"at":1}}}\n\n')
  })
})
server.requestTimeout = 0
server.listen(0, '127.0.0.1', 100_000, () => {
  process.once('SIGTERM', () => process.exit(0))
  console.log(`READY http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`)
})
