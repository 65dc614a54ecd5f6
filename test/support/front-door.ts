import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface FrontDoor extends AsyncDisposable {
  readonly url: string
  /** In the order in which they are tried. */
  targets: readonly string[]
  /** Asked with each answer; true loses it, as if whoever gave it had died before it was sent. */
  loses: (path: string, request: string) => boolean | Promise<boolean>
}

/** What stands before replicas of a server: asks the next where one cannot be reached or dies with a request. */
export async function frontDoor(): Promise<FrontDoor> {
  const door: Pick<FrontDoor, 'targets' | 'loses'> = { targets: [], loses: () => false }
  const server = createServer((request, response) => {
    void (async () => {
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk as Buffer)
      const body = Buffer.concat(chunks)
      const { url = '', headers } = request
      const passed = Object.entries(headers).filter(
        ([name]) => !/^(host|connection|content-length|transfer-encoding)$/.test(name),
      )
      // A request that was sent is not sent again by who does not know what it is: only an unreachable one is left out.
      for (const target of door.targets) {
        const answer = await fetch(new URL(url, target), {
          method: 'POST',
          headers: passed.map(([name, value]) => [name, String(value)] as [string, string]),
          body,
        }).catch((error: unknown) => error as { cause?: { code?: string } })
        if (!(answer instanceof Response)) {
          if (answer.cause?.code === 'ECONNREFUSED') continue
          break
        }
        const text = await answer.text()
        if (await door.loses(url, body.toString())) break
        response.writeHead(answer.status, { 'content-type': 'application/json' }).end(text)
        return
      }
      response.destroy()
    })().catch(() => response.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return Object.assign(door, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  })
}
