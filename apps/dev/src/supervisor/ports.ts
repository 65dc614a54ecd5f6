import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'
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

/**
 * `wanted`, or another port of this machine where something listens on that. Below 32768: above, a connection of any process
 * may have it by the time that something listens there (RFC 6335, section 6).
 */
export async function freePort(wanted: number): Promise<number> {
  let port = wanted
  while (!(await isFree({ what: '', variable: '', host: '127.0.0.1', port }))) port = randomInt(10_000, 32_768)
  return port
}
