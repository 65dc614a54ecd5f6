import { parseArgs } from 'node:util'
import { AppError, firstEpoch } from '@behalf/identity'
import type { Config } from './config.ts'

/** Where a command writes, and from where it resolves paths. */
export interface Terminal {
  readonly cwd: string
  out(line: string): void
  error(line: string): void
}

const usage = `behalf compose [--root <directory>] [--out <file>]
    Composes apps/* into one artefact, proves what it promises, and writes it (default: <root>/graph.json).
behalf check [--root <directory>] [--against <file>] [--json]
    Compares apps/* with the graph that was released last (default: <root>/graph.released.json): what was loosened, what
    breaks, what else is worth a look. Exit code 1 where something was loosened or breaks, 2 where it cannot compare.
behalf types [--root <directory>] [--documents <glob> --out <file>]
    Writes what TypeScript has to know of each app's schema for its resolvers (apps/<app>/src/generated/schema.ts), and
    what editors have to know of all of them (generated/graph.graphql). Of a client's operations, too: a TypedDocumentNode
    each.
behalf migrate [--root <directory>]
    Brings the database up to date for the gateway and apps/*: roles, schemas, tables. DATABASE_URL is the administrator's;
    GATEWAY_DATABASE_URL and <APP>_DATABASE_URL are what the processes are given, with the passwords that their roles get.
behalf keys <receiver> [--epoch <n>]
    Prints the receiver's BEHALF_CONTEXT_KEYS, derived from BEHALF_ROOT_KEY: of the epoch (default: ${firstEpoch}) and the one before.
behalf revoke --subject <usr_...> [--issuer <url>]
behalf revoke --session <sid> --issuer <url>
behalf revoke --delegation <dlg_...>
    Ends whatever was issued to a user until now (by one issuer, or by any), a session, or a delegation: on every gateway
    within a second. DATABASE_URL is that of role "gateway".
behalf explain <txn> [--json]
    Prints what was decided in a transaction and those it led to: facts per receiver, rules, calls. DATABASE_URL is the
    administrator's.
behalf --help`

/** Runs one command. Resolves to the exit code: 0 done, 1 refused, 2 not understood. */
export async function run(args: readonly string[], config: Config, terminal: Terminal): Promise<number> {
  let parsed
  try {
    parsed = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        root: { type: 'string' },
        out: { type: 'string' },
        against: { type: 'string' },
        documents: { type: 'string' },
        epoch: { type: 'string' },
        subject: { type: 'string' },
        issuer: { type: 'string' },
        session: { type: 'string' },
        delegation: { type: 'string' },
        json: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    })
  } catch (error) {
    return misunderstood(terminal, error instanceof Error ? error.message : String(error))
  }
  const { values, positionals } = parsed
  if (values.help) {
    terminal.out(usage)
    return 0
  }
  const [command, ...rest] = positionals
  const only = (...names: string[]) => Object.keys(values).every((name) => names.includes(name))
  try {
    if (command === 'compose' && rest.length === 0 && only('root', 'out')) {
      const { composeCommand } = await import('./compose-command.ts')
      return await composeCommand({ root: values.root ?? '.', out: values.out }, terminal)
    }
    if (command === 'check' && rest.length === 0 && only('root', 'against', 'json')) {
      const { checkCommand } = await import('./check-command.ts')
      return await checkCommand(
        { root: values.root ?? '.', against: values.against, json: values.json === true },
        terminal,
      )
    }
    const { documents, out } = values
    const isPaired = (documents === undefined) === (out === undefined)
    if (command === 'types' && rest.length === 0 && only('root', 'documents', 'out') && isPaired) {
      const { typesCommand } = await import('./types-command.ts')
      const client = documents === undefined || out === undefined ? null : { documents, out }
      return await typesCommand({ root: values.root ?? '.', client }, terminal)
    }
    if (command === 'migrate' && rest.length === 0 && only('root')) {
      const { migrateCommand } = await import('./migrate-command.ts')
      const { databaseUrl: adminUrl, databaseUrlOf: urlOf } = config
      return await migrateCommand({ root: values.root ?? '.', adminUrl, urlOf }, terminal)
    }
    if (command === 'keys' && rest.length === 1 && only('epoch')) {
      const { keysCommand } = await import('./keys-command.ts')
      return keysCommand(
        { receiver: rest[0] ?? '', epoch: values.epoch ?? String(firstEpoch), rootKey: config.rootKey },
        terminal,
      )
    }
    if (command === 'revoke' && rest.length === 0 && only('subject', 'issuer', 'session', 'delegation')) {
      const { readRevoked, revokeCommand } = await import('./revoke-command.ts')
      const revoked = readRevoked(values)
      if (revoked !== null) return await revokeCommand({ revoked, databaseUrl: config.databaseUrl }, terminal)
    }
    if (command === 'explain' && rest.length === 1 && only('json')) {
      const { explainCommand } = await import('./explain/explain-command.ts')
      const { databaseUrl } = config
      return await explainCommand({ txn: rest[0] ?? '', json: values.json === true, databaseUrl }, terminal)
    }
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    terminal.error(`${error.code} ${error.message}`)
    return 1
  }
  return misunderstood(terminal, command === undefined ? 'Which command?' : `Not understood: ${args.join(' ')}`)
}

function misunderstood(terminal: Terminal, message: string): number {
  terminal.error(message)
  terminal.error(usage)
  return 2
}
