import { once } from 'node:events'
import { createServer } from 'node:net'

/**
 * Below what systems give to connections that ask for any port: a port that is found free here, and listened on seconds
 * later, would otherwise be some connection's by then (Linux: 32768 and above, others: 49152 and above, RFC 6335 section 6).
 */
const first = 10_000
const count = 22_000

// Processes that look at the same time begin far from each other (by the golden ratio); within one, no port is given twice.
let next = (process.pid * 13_597) % count

/** Ports on 127.0.0.1 that nothing listens on now, nor any other test will. */
export async function freePorts(wanted: number): Promise<number[]> {
  const ports: number[] = []
  while (ports.length < wanted) {
    const port = first + next
    next = (next + 1) % count
    if (await isFree(port)) ports.push(port)
  }
  return ports
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1')
  try {
    await once(server, 'listening')
  } catch {
    return false
  }
  await once(server.close(), 'close')
  return true
}
