import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Pool } from 'undici'
import { readContest, ready } from '../contest.ts'

// What node can do at most: the same three requests, the answers put together, and nothing of a gateway.
const { urls } = readContest()
const pools = Object.fromEntries(
  Object.entries(urls).map(([name, url]) => [
    name,
    new Pool(url, { connections: 64, headersTimeout: 0, bodyTimeout: 0 }),
  ]),
)
const headers = ['content-type', 'application/json']

function ask(name: string, body: string): Promise<Record<string, never>> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    pools[name]?.dispatch(
      { method: 'POST', path: '/', headers, body },
      {
        onRequestStart() {},
        onResponseStart() {},
        onResponseData: (_controller, chunk) => void chunks.push(chunk),
        onResponseEnd: () => resolve(JSON.parse(Buffer.concat(chunks).toString())),
        onResponseError: (_controller, error) => reject(error),
      },
    )
  })
}

const entities = (field: string, id: string) =>
  `{"query":"query($representations:[_Any!]!){_entities(representations:$representations){...on User{${field}}}}","variables":{"representations":[{"__typename":"User","id":${JSON.stringify(id)}}]}}`

const server = createServer((request, response) => {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', async () => {
    JSON.parse(Buffer.concat(chunks).toString())
    const { data } = await ask('users', '{"query":"{viewer{__typename id name}}"}')
    const { id, name } = (data as { viewer: { id: string; name: string } }).viewer
    const [orders, balance] = (await Promise.all([
      ask('orders', entities('orders{id total status items{sku amount}}', id)),
      ask('balance', entities('balance{amount currency}', id)),
    ])) as unknown as { data: { _entities: Record<string, unknown>[] } }[]
    const viewer = {
      id,
      name,
      orders: orders?.data._entities[0]?.['orders'],
      balance: balance?.data._entities[0]?.['balance'],
    }
    const text = JSON.stringify({ data: { viewer } })
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }).end(text)
  })
})
server.keepAliveTimeout = 60_000
server.listen(0, '127.0.0.1', () => ready(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`))
