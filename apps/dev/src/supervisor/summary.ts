import { randomBytes } from 'node:crypto'
import { type Config, defaultDataDir } from '../config.ts'
import type { DemoUser } from '../seed/demo-users.ts'
import { reachable } from './system-plan.ts'

const query = '{ viewer { id name balance { amount currency } } }'
/** A key names one message: with the key of an earlier start, its answer would come back, by whatever model that was. */
const chat = (key: string) => `mutation { chatSend(input: { text: "What is my balance?", idempotencyKey: "${key}" }) {
    run { status message { text } toolCalls { tool status } } error { code message } } }`

/** What a newcomer needs once everything runs. The first line is what tests and scripts wait for. */
export function summary({
  config,
  users,
  logs,
  database,
  seconds,
}: {
  config: Config
  users: readonly DemoUser[]
  /** Folder of the log files. */
  logs: string
  /** Folder of the embedded database. */
  database: string
  seconds: number
}): string {
  const graphql = `http://${reachable(config.host)}:${config.gatewayPort}/graphql`
  // What was set for this start has to be set for the token command too.
  const settings = Object.entries(config.given)
    .map(([name, value]) => `${name}=${shellWord(value)} `)
    .join('')
  const place = config.dataDir === defaultDataDir ? '' : `BEHALF_DATA_DIR=${shellWord(config.dataDir)} `
  const post = (
    text: string,
  ) => `curl -sS ${graphql} -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \\
    --data '${JSON.stringify({ query: text.replaceAll(/\s+/g, ' ') })}'`
  const signIn = config.ownProvider
    ? `TOKEN=$(${settings}npm run --silent token -- ada)`
    : `TOKEN=...   # an access token of ${config.issuer} for ${config.resources.graphql}`

  return `
Behalf is ready (${seconds.toFixed(1)} s).

  GraphQL     ${graphql}
  Sign-in     ${config.issuer}${config.ownProvider ? '  (for development only)' : ''}
  Chat        ${config.model['MODEL_NAME'] ?? 'keyword router, not a language model (for one, set MODEL_BASE_URL, MODEL_NAME)'}
  PostgreSQL  ${config.databaseUrl === null ? `127.0.0.1:${config.postgresPort}, in ${database}` : new URL(config.databaseUrl).host}
  Logs        ${logs}

Demo users
${users.map((user) => `  ${user.name.padEnd(10)}  ${user.description}`).join('\n')}

A first query, in another terminal:
  ${signIn}
  ${post(query)}

A first chat, with the same token:
  ${post(chat(randomBytes(3).toString('hex')))}

What was decided in a transaction, by the "txn" of its answer:
  ${place}npm run --silent explain -- <txn>

Ctrl-C stops everything.
`
}

const shellWord = (value: string) => (/^[\w./:-]+$/.test(value) ? value : `'${value.replaceAll("'", `'\\''`)}'`)
