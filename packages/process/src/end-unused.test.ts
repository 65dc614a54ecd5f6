import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { expect, test } from 'vitest'
import { endUnused } from './end-unused.ts'

test('connections on which nothing was asked are ended, others are not', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const end = endUnused(server)
  const open = async () => {
    const accepted = once(server, 'connection')
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
    await accepted
    return socket
  }
  const [unused, asking, half] = [await open(), await open(), await open()]
  const asked = once(server, 'request') as Promise<[unknown, ServerResponse]>
  asking.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  half.write('GET / HT')
  const [, response] = await asked

  const gone = Promise.all(
    [unused, half].map((socket) => {
      socket.resume().on('error', () => undefined)
      return new Promise((resolve) => socket.once('close', resolve))
    }),
  )
  end()
  await gone
  const answer = once(asking, 'data')
  response.end('done')
  expect(String(await answer)).toContain('200 OK')

  const closed = once(server.close(), 'close')
  asking.destroy()
  await closed
})
