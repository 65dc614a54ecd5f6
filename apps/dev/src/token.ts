import { parseArgs } from 'node:util'
import { fileURLToPath } from 'node:url'
import { findApps } from '@behalf/composition'
import { ConfigurationError } from '@behalf/process'
import { readTokenConfig, type TokenConfig } from './config.ts'
import { clientIds } from './provider/clients.ts'
import type { ProviderUser } from './provider/provider-user.ts'
import { demoUsersOf } from './seed/demo-users.ts'
import { signIn, SignInError } from './sign-in.ts'

const demoUsers = demoUsersOf(findApps(fileURLToPath(new URL('../../..', import.meta.url))))

const usage = `Usage: npm run --silent token -- <demo user> [--for graphql|mcp] [scope ...]

Prints an access token of the running development provider.

  --for graphql  for /graphql, by the client ${clientIds.cli} (default)
  --for mcp      for /mcp, by the client ${clientIds.mcp}
  scope ...      what the token may do; without any, all that the user may

Demo users: ${demoUsers.map((user) => user.name).join(', ')}`

/** Prints the reason and ends: 2 where the question was wrong, 1 where the answer was no. */
function refuse(reason: string, exitCode: 1 | 2): never {
  process.stderr.write(`${reason}\n`)
  process.exit(exitCode)
}

function readArguments(args: string[]): { user: ProviderUser; purpose: 'graphql' | 'mcp'; scopes: readonly string[] } {
  let parsed
  try {
    parsed = parseArgs({
      args,
      allowPositionals: true,
      options: { for: { type: 'string', default: 'graphql' }, help: { type: 'boolean', short: 'h' } },
    })
  } catch (error) {
    return refuse(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`, 2)
  }
  if (parsed.values.help) {
    process.stdout.write(`${usage}\n`)
    process.exit(0)
  }
  const [name, ...scopes] = parsed.positionals
  if (name === undefined) return refuse(usage, 2)
  const user = demoUsers.find((candidate) => candidate.name === name)
  if (!user) {
    return refuse(`There is no demo user "${name}". There are: ${demoUsers.map((each) => each.name).join(', ')}.`, 2)
  }
  const purpose = parsed.values.for
  if (purpose !== 'graphql' && purpose !== 'mcp') {
    return refuse(`--for is "graphql" or "mcp", not "${purpose}".`, 2)
  }
  return { user, purpose, scopes: scopes.length > 0 ? scopes : user.scopes }
}

function readConfigOrRefuse(): TokenConfig {
  try {
    return readTokenConfig()
  } catch (error) {
    if (error instanceof ConfigurationError) return refuse(error.faults.join('\n'), 2)
    throw error
  }
}

const { user, purpose, scopes } = readArguments(process.argv.slice(2))
const { issuer, resources } = readConfigOrRefuse()

try {
  const token = await signIn({
    issuer,
    user: user.name,
    scopes,
    resource: resources[purpose],
    client: purpose === 'mcp' ? clientIds.mcp : clientIds.cli,
  })
  process.stdout.write(`${token}\n`)
} catch (error) {
  if (error instanceof SignInError) refuse(error.message, 1)
  throw error
}
