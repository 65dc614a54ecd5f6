import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { Failure } from './failure.ts'
import { freePort, takenPorts } from './ports.ts'

const need = (port: number) => ({ what: 'orders', variable: 'ORDERS_PORT', host: '127.0.0.1', port })

test('a port that something listens on is taken, and free again afterwards', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  expect(await takenPorts([need(port)])).toEqual([need(port)])

  const patient = takenPorts([need(port)], 5000)
  server.close()
  expect(await patient).toEqual([])
})

test('an address of some other machine is refused with a sentence', async () => {
  await expect(takenPorts([{ ...need(4000), host: '192.0.2.1' }])).rejects.toThrow(Failure)
})

test('a port is taken if it is free, and else any other', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const other = await freePort(port)
  expect(other).not.toBe(port)
  expect(await freePort(other)).toBe(other)
  server.close()
  await once(server, 'close')
  expect(await freePort(port)).toBe(port)
})
