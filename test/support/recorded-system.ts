import { randomBytes } from 'node:crypto'
import { appendFile, readdir, readFile, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { startEmbeddedPostgres } from '@behalf/postgres/embedded'
import { type Searchable, searchableBytes, searchableHttp } from './find-secrets.ts'
import { freePorts } from './free-ports.ts'
import { type HttpMessage, readHttpMessages } from './http-messages.ts'
import { type ModelServer, startModelServer } from './model-server.ts'
import { startOtlpReceiver } from './otlp-receiver.ts'
import { startSystem, type System, temporaryDataDir } from './system.ts'
import { type RecordedConnection, startWireRecorder, type WireRecorder } from './wire-recorder.ts'

export const subgraphs = ['identity', 'orders', 'balance', 'orchestrator'] as const
const roles = ['gateway', ...subgraphs, 'postgres'] as const

/** Secrets of the deployment that it was given from outside. */
interface Given {
  readonly modelKey: string
  /** Of the administrator. */
  readonly databasePassword: string
}

export interface RecordedSystem extends AsyncDisposable {
  readonly system: System
  readonly given: Given
  readonly model: ModelServer
  /** Of the administrator, around the recorder. */
  readonly databaseUrl: string
  /** As what a client of the provider has to call itself: what it says is not what the gateway says. */
  readonly userAgent: string
  /** Of the gateway, through the recorder. */
  readonly graphql: string
  /** Whoever talks to whom, what they have said so far, in both directions, and every log. */
  legs(): Promise<ReadonlyMap<string, Searchable>>
  /** The requests of a leg that is HTTP. */
  requests(leg: string): readonly HttpMessage[]
  answers(leg: string): readonly HttpMessage[]
  /** Sends a text on every leg, as whoever speaks there could: compressed, in chunks, encoded and escaped. */
  plant(text: string): Promise<void>
  /** Once nobody writes there. */
  plantInLogs(text: string): Promise<void>
}

/** What clients say to the gateway is not recorded: there, credentials belong. What it answers is. */
const answersOnly = 'gateway → client'

/**
 * The whole system as `npm start` starts it, with a recorder between every two of its processes, the database, the model
 * server, the collector and the provider included.
 */
export async function startRecordedSystem(env: Readonly<Record<string, string>> = {}): Promise<RecordedSystem> {
  await using started = new AsyncDisposableStack()
  const dataDir = await temporaryDataDir()
  started.defer(() => rm(dataDir, { recursive: true, force: true }))
  const database = started.use(await startEmbeddedPostgres())
  const [model, collector] = [started.use(await startModelServer()), started.use(await startOtlpReceiver())]
  const [gateway = 0, internal = 0, provider = 0, ...ports] = await freePorts(3 + subgraphs.length)

  const record = async (port: number) => started.use(await startWireRecorder(port))
  const portOf = (url: string) => Number(new URL(url).port)
  const between = new Map<string, WireRecorder>([
    [answersOnly, await record(gateway)],
    ['gateway → provider', await record(provider)],
    ['orchestrator → gateway', await record(internal)],
    ['orchestrator → model', await record(portOf(model.baseUrl))],
    ['processes → collector', await record(portOf(collector.url))],
  ])
  for (const [index, name] of subgraphs.entries()) between.set(`gateway → ${name}`, await record(ports[index] ?? 0))
  const databaseWire = await record(portOf(database.url))
  const recorderOf = (leg: string): WireRecorder => {
    const recorder = between.get(leg)
    if (recorder === undefined) throw new Error(`There is no leg "${leg}".`)
    return recorder
  }
  const through = (leg: string, path = '') => `http://127.0.0.1:${recorderOf(leg).port}${path}`

  const databaseUrl = new URL(database.url)
  databaseUrl.port = String(databaseWire.port)
  const given = { modelKey: randomBytes(24).toString('base64url'), databasePassword: databaseUrl.password }
  const system = await startSystem({
    dataDir,
    env: {
      ...Object.fromEntries(subgraphs.map((name, index) => [`${name.toUpperCase()}_PORT`, String(ports[index])])),
      GATEWAY_PORT: String(gateway),
      GATEWAY_INTERNAL_PORT: String(internal),
      IDP_PORT: String(recorderOf('gateway → provider').port),
      IDP_LISTEN_PORT: String(provider),
      DATABASE_URL: databaseUrl.href,
      SUBGRAPHS: subgraphs.map((name) => `${name}=${through(`gateway → ${name}`, '/graphql')}`).join(','),
      GATEWAY_INTERNAL_URL: through('orchestrator → gateway'),
      MODEL_BASE_URL: through('orchestrator → model', '/v1'),
      MODEL_NAME: 'scripted',
      MODEL_API_KEY: given.modelKey,
      OTEL_EXPORTER_OTLP_ENDPOINT: through('processes → collector'),
      LOG_LEVEL: 'trace',
      ...env,
    },
  })
  started.use(system)

  const userAgent = 'a client of the provider'
  /** Of the gateway's own side of a leg. */
  const connectionsOf = (leg: string) =>
    recorderOf(leg).connections.filter((connection) => !connection.sent().includes(`user-agent: ${userAgent}\r\n`))
  const sent = (connection: RecordedConnection) => connection.sent()
  const received = (connection: RecordedConnection) => connection.received()
  const logsDir = join(dataDir, 'logs')

  async function legs(): Promise<ReadonlyMap<string, Searchable>> {
    const legs = new Map<string, Searchable>()
    for (const leg of between.keys()) {
      const directions = leg === answersOnly ? [received] : [sent, received]
      legs.set(leg, joined(directions.flatMap((read) => connectionsOf(leg).map(read).map(searchableHttp))))
    }
    for (const role of roles) {
      const connections = databaseWire.connections.filter((connection) => roleOf(connection) === role)
      legs.set(
        `${role} → database`,
        joined([sent, received].flatMap((read) => connections.map(read).map(searchableBytes))),
      )
    }
    for (const file of await readdir(logsDir)) {
      legs.set(`log of ${file.slice(0, -'.log'.length)}`, searchableBytes(await readFile(join(logsDir, file))))
    }
    return legs
  }

  async function plant(text: string): Promise<void> {
    for (const leg of between.keys()) {
      if (leg === answersOnly) {
        const query = JSON.stringify({ query: `{ hidden_${Buffer.from(text).toString('hex')}: __typename }` })
        await fetch(`${through(leg)}/graphql`, {
          method: 'POST',
          body: query,
          headers: { 'content-type': 'application/json' },
        })
      } else await exchange(recorderOf(leg).port, chunkedPost(gzipSync(hidden(text))))
    }
    for (const role of roles) await exchange(databaseWire.port, startupAs(role), frame('B', text))
  }

  async function plantInLogs(text: string): Promise<void> {
    for (const file of await readdir(logsDir)) await appendFile(join(logsDir, file), `${hidden(text)}\n`)
  }

  const running = started.move()
  return {
    system,
    given,
    model,
    databaseUrl: database.url,
    userAgent,
    graphql: through(answersOnly, '/graphql'),
    legs,
    requests: (leg) => connectionsOf(leg).map(sent).flatMap(readHttpMessages),
    answers: (leg) => connectionsOf(leg).map(received).flatMap(readHttpMessages),
    plant,
    plantInLogs,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}

const hidden = (text: string) => JSON.stringify({ a: Buffer.from(`{"é":"${text}"}`).toString('base64url') })

const joined = (parts: readonly Searchable[]): Searchable => ({ text: parts.map(({ text }) => text).join('\n') })

/** Whom a connection to PostgreSQL is of, by its start-up message (PostgreSQL, 54.7). @throws for an encrypted one */
function roleOf(connection: RecordedConnection): string {
  const bytes = connection.sent()
  const parameters = bytes.toString('latin1', 8, bytes.readInt32BE(0)).split('\0')
  const role = parameters[parameters.indexOf('user') + 1]
  if (bytes.readInt32BE(4) !== 0x3_00_00 || role === undefined) throw new Error('A connection cannot be read.')
  return role
}

/** A message of PostgreSQL's protocol, with a text in it. */
const frame = (type: string, text: string) => {
  const length = Buffer.alloc(4)
  length.writeInt32BE(4 + text.length)
  return Buffer.concat([Buffer.from(type), length, Buffer.from(text)])
}
const startupAs = (role: string) => frame('', `\0\x03\0\0user\0${role}\0database\0postgres\0\0`)

const chunkedPost = (body: Buffer) =>
  Buffer.concat([
    Buffer.from(
      `POST /planted HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n`,
    ),
    ...[body.subarray(0, 9), body.subarray(9)].flatMap((chunk) => [
      Buffer.from(`${chunk.length.toString(16)}\r\n`),
      chunk,
      Buffer.from('\r\n'),
    ]),
    Buffer.from('0\r\n\r\n'),
  ])

/** Says one thing after another, and waits for an answer to each, or for the end. */
async function exchange(port: number, ...messages: readonly Buffer[]): Promise<void> {
  const socket = connect(port, '127.0.0.1').on('error', () => undefined)
  for (const message of messages) {
    socket.write(message)
    await new Promise((resolve) => socket.once('data', resolve).once('close', resolve))
  }
  socket.destroy()
}
