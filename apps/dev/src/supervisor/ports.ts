import { createServer, type AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { Failure } from './failure.ts'

export interface PortNeed {
  /** For people: what would listen there. */
  readonly what: string
  readonly variable: string
  readonly host: string
  readonly port: number
}

/**
 * Those of `needs` that something else listens on.
 *
 * @param patience how long to wait for ports to become free, in milliseconds
 * @throws Failure for a host that is not this machine
 */
export async function takenPorts(needs: readonly PortNeed[], patience = 0): Promise<PortNeed[]> {
  const end = performance.now() + patience
  for (;;) {
    const free = await Promise.all(needs.map(isFree))
    const taken = needs.filter((_need, index) => !free[index])
    if (taken.length === 0 || performance.now() >= end) return taken
    await delay(50)
  }
}

function isFree({ host, port }: PortNeed): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE' || error.code === 'EACCES') resolve(false)
      else reject(new Failure(`Nothing can listen on ${host} port ${port} here: ${error.message}`, { cause: error }))
    })
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(true)))
  })
}

/** `wanted`, or any other port of this machine where something listens on that. */
export async function freePort(wanted: number): Promise<number> {
  const host = '127.0.0.1'
  if (await isFree({ what: '', variable: '', host, port: wanted })) return wanted
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen({ host, port: 0, exclusive: true }, () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}
