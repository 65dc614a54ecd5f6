import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { freePorts } from './free-ports.ts'

export const root = fileURLToPath(new URL('../..', import.meta.url))

/** What `npm start` and `npm run token` run. */
const start = ['--conditions=@behalf/source', join(root, 'apps/dev/src/main.ts')]
const tokenCommand = ['--conditions=@behalf/source', join(root, 'apps/dev/src/token.ts')]

const subgraphs = ['identity', 'orders', 'balance', 'orchestrator'] as const
type Subgraph = (typeof subgraphs)[number]
const portNames = [
  'GATEWAY_PORT',
  'GATEWAY_INTERNAL_PORT',
  'IDP_PORT',
  'POSTGRES_PORT',
  ...subgraphs.map((name) => `${name.toUpperCase()}_PORT`),
]

export interface System extends AsyncDisposable {
  readonly urls: {
    /** Of the gateway, such as `http://127.0.0.1:4000`. */
    readonly gateway: string
    readonly graphql: string
    readonly internal: string
    readonly issuer: string
    readonly subgraphs: Readonly<Record<Subgraph, string>>
  }
  readonly rootKey: string
  /** All variables that it was started with. */
  readonly env: Readonly<Record<string, string>>
  readonly dataDir: string
  /** The supervisor. */
  readonly process: ChildProcess
  /** What the supervisor has printed so far. */
  output(): string
  /** An access token of a demo user, by the authorization code flow; default: for `/graphql`, all scopes of the user. */
  token(user: string, options?: { for?: 'graphql' | 'mcp'; scopes?: readonly string[] }): Promise<string>
  /** Asks the gateway; without a token if that is null. */
  graphql(token: string | null, query: string, variables?: Record<string, unknown>): Promise<GraphqlAnswer>
  /** Log of one of its processes, as it is now. */
  log(name: Subgraph | 'gateway' | 'provider'): Promise<string>
  /** Stops it as Ctrl-C does; gives the exit code. */
  stop(): Promise<number | null>
}

export interface GraphqlAnswer {
  readonly status: number
  readonly headers: Headers
  readonly body: {
    // What is asked for is known where it is asked.
    readonly data?: Record<string, any> | null // oxlint-disable-line typescript/no-explicit-any
    readonly errors?: readonly { message: string; path?: (string | number)[]; extensions?: Record<string, unknown> }[]
    readonly extensions?: { readonly txn?: string }
  }
}

/** Free ports, a root key and nothing else of this process's settings, for a system of its own. */
export async function systemEnvironment(dataDir: string): Promise<Record<string, string>> {
  const ports = await freePorts(portNames.length)
  return {
    ...Object.fromEntries(portNames.map((name, index) => [name, String(ports[index])])),
    BEHALF_DATA_DIR: dataDir,
    BEHALF_ROOT_KEY: randomBytes(32).toString('base64url'),
    PATH: process.env['PATH'] ?? '',
  }
}

/** A folder that PostgreSQL, as another user, can pass through. */
export async function temporaryDataDir(): Promise<string> {
  const dataDir = await mkdtemp(join(tmpdir(), 'behalf-system-'))
  await chmod(dataDir, 0o711)
  return dataDir
}

/**
 * Starts the whole system as `npm start` does, on ports and in a folder of its own, and waits until it is ready.
 *
 * @param options.env on top of {@link systemEnvironment}
 * @param options.dataDir to keep after the end; without it a temporary folder is used and removed
 * @throws with everything that was printed, if it does not start
 */
export async function startSystem(options: { env?: Record<string, string>; dataDir?: string } = {}): Promise<System> {
  const dataDir = options.dataDir ?? (await temporaryDataDir())
  const env = { ...(await systemEnvironment(dataDir)), ...options.env }
  const supervisor = spawn(process.execPath, start, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] })
  const exited = once(supervisor, 'exit') as Promise<[number | null]>
  const output = await untilReady(supervisor)
  const at = (variable: string, path = '') => `http://127.0.0.1:${env[variable]}${path}`
  const urls = {
    gateway: at('GATEWAY_PORT'),
    graphql: at('GATEWAY_PORT', '/graphql'),
    internal: at('GATEWAY_INTERNAL_PORT'),
    issuer: at('IDP_PORT'),
    subgraphs: {
      identity: at('IDENTITY_PORT', '/graphql'),
      orders: at('ORDERS_PORT', '/graphql'),
      balance: at('BALANCE_PORT', '/graphql'),
      orchestrator: at('ORCHESTRATOR_PORT', '/graphql'),
    },
  }

  const stop = async () => {
    if (supervisor.exitCode === null && supervisor.signalCode === null) supervisor.kill('SIGINT')
    const [code] = await exited
    if (options.dataDir === undefined) await rm(dataDir, { recursive: true, force: true })
    return code
  }
  const tokens = new Map<string, Promise<string>>()

  return {
    urls,
    rootKey: env['BEHALF_ROOT_KEY'] ?? '',
    env,
    dataDir,
    process: supervisor,
    output,
    token(user, { for: purpose = 'graphql', scopes = [] } = {}) {
      const args = [user, '--for', purpose, ...scopes]
      const key = args.join(' ')
      let token = tokens.get(key)
      if (!token) tokens.set(key, (token = askForToken(args, env)))
      return token
    },
    async graphql(token, query, variables = {}) {
      const response = await fetch(urls.graphql, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        },
        body: JSON.stringify({ query, variables }),
      })
      return {
        status: response.status,
        headers: response.headers,
        body: (await response.json()) as GraphqlAnswer['body'],
      }
    },
    log: (name) => readFile(join(dataDir, 'logs', `${name}.log`), 'utf8'),
    stop,
    [Symbol.asyncDispose]: async () => void (await stop()),
  }
}

/** As `npm run token` does; `env` says where the provider is. */
export async function askForToken(args: readonly string[], env: Record<string, string>): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [...tokenCommand, ...args], { cwd: root, env })
  return stdout.trim()
}

/** Gives a function for what was printed, once the system is ready. */
function untilReady(supervisor: ChildProcess): Promise<() => string> {
  let output = ''
  return new Promise((resolve, reject) => {
    for (const stream of [supervisor.stdout, supervisor.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        output += text
        if (/^Behalf is ready/m.test(output) && output.includes('Ctrl-C stops everything')) resolve(() => output)
      })
    }
    supervisor.once('error', reject)
    supervisor.once('exit', (code) => reject(new Error(`The system did not start (exit code ${code}):\n${output}`)))
  })
}
