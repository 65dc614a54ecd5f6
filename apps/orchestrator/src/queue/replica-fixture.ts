import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net'
import { fileURLToPath } from 'node:url'

export interface ReplicaProcess {
  /** Resolves when its model is asked. */
  readonly asked: Promise<void>
  /** Resolves when it serves. */
  readonly ready: Promise<void>
  /** Gives its exit code. */
  end(signal: NodeJS.Signals): Promise<number | null>
}

/** Replicas in processes of their own, whose models never answer. */
export function createReplicas(env: () => Readonly<Record<string, string>>) {
  const children: ChildProcess[] = []

  async function start(change: Readonly<Record<string, string>> = {}): Promise<ReplicaProcess> {
    const asked = Promise.withResolvers<void>()
    const model = createServer((request) => request.resume().on('end', asked.resolve))
    await new Promise<void>((resolve) => model.listen(0, '127.0.0.1', resolve))
    const child = spawn(
      process.execPath,
      ['--conditions=@behalf/source', fileURLToPath(new URL('../main.ts', import.meta.url))],
      {
        env: {
          ...env(),
          ORCHESTRATOR_PORT: '0',
          LOG_LEVEL: 'info',
          MODEL_BASE_URL: `http://127.0.0.1:${(model.address() as AddressInfo).port}/v1`,
          MODEL_NAME: 'silent',
          ...change,
        },
        // With a channel, so that it ends when this process does.
        stdio: ['ignore', 'pipe', 'ignore', 'ipc'],
      },
    )
    children.push(child)
    const exited = once(child, 'exit')
    const ready = Promise.withResolvers<void>()
    child.stdout?.on('data', (text: Buffer) => text.includes('Server listening') && ready.resolve())
    return {
      asked: asked.promise,
      ready: ready.promise,
      async end(signal) {
        child.kill(signal)
        const [code] = (await exited) as [number | null]
        model.closeAllConnections()
        await new Promise((resolve) => model.close(resolve))
        return code
      },
    }
  }

  return { start, killAll: () => children.splice(0).forEach((child) => child.kill('SIGKILL')) }
}

/** A way to PostgreSQL, which can go away in the manners in which a server does. */
export async function openFrontDoor(url: string) {
  const target = new URL(url)
  const sockets = new Set<Socket>()
  let answer: ((socket: Socket) => void) | null = null
  let refused = 0
  const server = createTcpServer((inward) => {
    sockets.add(inward)
    inward.on('error', () => undefined)
    if (answer !== null) return answer(inward)
    const outward = connect(Number(target.port), target.hostname)
    sockets.add(outward)
    outward.on('error', () => undefined)
    inward.pipe(outward).pipe(inward)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const through = new URL(url)
  through.port = String((server.address() as AddressInfo).port)
  return {
    url: through.href,
    /** How often it said that it shuts down. */
    refused: () => refused,
    /** Ends all connections and says to new ones what PostgreSQL does while it shuts down. */
    shutDown() {
      answer = (socket) => {
        refused++
        socket.end(shuttingDown)
      }
      for (const socket of sockets) socket.destroy()
    },
    /** As a machine that is gone: nothing is answered and nothing ends. */
    vanish() {
      answer = () => undefined
      for (const socket of sockets) socket.unpipe().pause()
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** ErrorResponse (PostgreSQL, "Message Formats") with SQLSTATE 57P03, cannot_connect_now. */
const shuttingDown = (() => {
  const fields = Buffer.from('SFATAL\0VFATAL\0C57P03\0Mthe database system is shutting down\0\0')
  const head = Buffer.from('E\0\0\0\0')
  head.writeInt32BE(fields.length + 4, 1)
  return Buffer.concat([head, fields])
})()
