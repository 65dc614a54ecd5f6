import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { compose } from '@behalf/composition'
import { type Issuer, startIssuer } from '../issuer.ts'
import { youngGeneration } from '../processes.ts'
import { type Probed, startProbed } from '../start-probed.ts'
import type { Growth } from './gateway.ts'
import { cannedAnswer, subgraphName, writeRepository } from './repository.ts'

const audience = 'https://bench.example/graphql'
const mcpAudience = 'http://127.0.0.1:4000/mcp'

/** A gateway before so many subgraphs, with so many tools. */
export interface Grown extends AsyncDisposable {
  readonly gateway: Probed
  readonly url: string
  readonly tools: number
  readonly token: string
  readonly mcpToken: string
  readonly costs: {
    /** Milliseconds of CPU time that composing took. */
    readonly compose: number
    /** Milliseconds from nothing to the first answer. */
    readonly start: number
    readonly heap: number
  }
}

/** @param streams - URL of a subgraph that serves subscriptions, in the place of the first */
export async function startGrown(options: {
  readonly subgraphs: number
  readonly tools: number
  readonly streams?: string
  readonly heartbeatMs?: number
}): Promise<Grown> {
  await using started = new AsyncDisposableStack()
  const root = mkdtempSync(join(tmpdir(), 'behalf-growth-'))
  started.defer(() => rmSync(root, { recursive: true, force: true }))
  writeRepository(root, options)
  const before = process.cpuUsage()
  const { graph } = await compose({ root })
  const { user, system } = process.cpuUsage(before)
  const file = join(root, 'graph.json')
  writeFileSync(file, JSON.stringify(graph))
  const issuer: Issuer = await startIssuer()
  started.defer(() => issuer.close())
  const answers = await serveAnswers(options.subgraphs)
  started.defer(() => answers.close())

  const growth: Growth = {
    graph: file,
    urls: Object.fromEntries(
      Array.from({ length: options.subgraphs }, (_, index) => [
        subgraphName(index),
        index === 0 && options.streams !== undefined ? options.streams : `${answers.url}/${index}`,
      ]),
    ),
    issuer: issuer.url,
    audience,
    mcpAudience,
    secret: randomBytes(32).toString('base64url'),
    heartbeatMs: options.heartbeatMs ?? 15_000,
  }
  const begun = performance.now()
  const gateway = await startProbed(join(import.meta.dirname, 'gateway.ts'), {
    name: 'gateway',
    core: 0,
    env: { GROWTH: JSON.stringify(growth), NODE_OPTIONS: youngGeneration },
    ready: /READY \S+/,
  })
  const start = performance.now() - begun
  started.defer(() => gateway.stop())
  const [, url = ''] = /READY (\S+)/.exec(gateway.printed()) ?? []
  const scope = 'profile'
  const held = await gateway.held()
  const running = started.move()
  return {
    gateway,
    url,
    tools: options.tools,
    token: await issuer.mint('u0', { audience, scope }),
    mcpToken: await issuer.mint('u0', { audience: mcpAudience, scope }),
    costs: { compose: (user + system) / 1000, start, heap: held.heapUsed },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}

/** All subgraphs in one server, each at its path: they cost next to nothing. */
async function serveAnswers(count: number): Promise<{ readonly url: string; close(): void }> {
  const answers = Array.from({ length: count }, (_, index) => Buffer.from(JSON.stringify(cannedAnswer(index))))
  const server = createServer((request, response) => {
    const body = answers[Number(request.url?.slice(1))] ?? Buffer.from('')
    const head = { 'content-type': 'application/json', 'content-length': body.length }
    request.resume().on('end', () => response.writeHead(200, head).end(body))
  })
  server.keepAliveTimeout = 60_000
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
}
