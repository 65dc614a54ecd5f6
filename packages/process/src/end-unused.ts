import type { Server } from 'node:http'
import type { Socket } from 'node:net'

/**
 * Gives a function that ends the connections on which nothing was asked yet, as browsers open them in case they need one. Node counts them
 * among those that are busy, and looks for late ones no more once it closes: a server would wait for them for ever.
 */
export function endUnused(server: Server): () => void {
  const unused = new Set<Socket>()
  server.on('connection', (socket) => {
    unused.add(socket)
    socket.once('close', () => unused.delete(socket))
  })
  server.on('request', ({ socket }) => unused.delete(socket))
  return () => {
    for (const socket of unused) socket.destroy()
  }
}
