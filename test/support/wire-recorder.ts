import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** All bytes of a connection so far, in both directions. */
export interface RecordedConnection {
  /** Of whoever connected. */
  sent(): Buffer
  received(): Buffer
}

export interface WireRecorder extends AsyncDisposable {
  readonly port: number
  readonly connections: readonly RecordedConnection[]
}

/**
 * Stands between two processes and keeps every byte they exchange, whatever it means.
 *
 * @param to the port of 127.0.0.1 that everything is sent on to
 */
export async function startWireRecorder(to: number): Promise<WireRecorder> {
  const connections: RecordedConnection[] = []
  const open = new Set<Socket>()
  const server = createServer((client) => {
    const target = connect(to, '127.0.0.1')
    const [sent, received] = [relay(client, target), relay(target, client)]
    connections.push({ sent: () => Buffer.concat(sent), received: () => Buffer.concat(received) })
    for (const socket of [client, target]) {
      open.add(socket)
      socket.once('close', () => open.delete(socket))
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    connections,
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

function relay(from: Socket, to: Socket): Buffer[] {
  const kept: Buffer[] = []
  from.on('data', (chunk) => kept.push(chunk)).pipe(to)
  // A side that breaks off breaks off the other.
  from.on('error', () => to.destroy()).on('close', () => to.destroySoon())
  return kept
}
