import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs'
import { join, relative, resolve, sep } from 'node:path'
import { isReceiverName } from '@behalf/identity'
import { collectProblems, type Problems } from './problem.ts'

/** A subgraph of the graph: an app with a behalf.json. */
export interface App {
  /** Its name as a subgraph and as a receiver of context tokens. */
  readonly name: string
  /** Absolute. */
  readonly directory: string
  /** Absolute path of its SDL. */
  readonly schema: string
  readonly port: number
  /** Milliseconds that it may take to answer; 10,000 unless its behalf.json says otherwise. */
  readonly timeoutMs: number
  /** What the demo users may ask for in development, besides. */
  readonly demoScopes: readonly string[]
}

/** What behalf.schema.json tells editors, too. */
const members = new Set(['$schema', 'name', 'schema', 'port', 'timeoutMs', 'demoScopes'])

/**
 * Finds the apps of a repository: `apps/*` with a behalf.json, by name.
 *
 * @param root directory that holds `apps`
 * @throws {CompositionError} with every behalf.json that cannot be used
 */
export function findApps(root: string): App[] {
  const problems = collectProblems()
  const apps = readApps(root, problems)
  problems.throwIfAny()
  return apps
}

/** As {@link findApps}, leaving the problems with the caller. */
export function readApps(root: string, problems: Problems): App[] {
  const apps: App[] = []
  for (const directory of appDirectories(root)) {
    const manifest = join(directory, 'behalf.json')
    if (!existsSync(manifest)) continue
    const place = { file: relativePath(root, manifest) }
    const app = readApp(directory, manifest, (message) => problems.add('APP_INVALID', place, message))
    if (!app) continue
    const twin = apps.find((other) => other.name === app.name || other.port === app.port)
    if (twin) {
      const what = twin.name === app.name ? `name "${app.name}"` : `port ${app.port}`
      problems.add('APP_DUPLICATE', place, `Its ${what} is that of ${relativePath(root, twin.directory)} too.`)
    }
    apps.push(app)
  }
  return apps.toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

/** Every directory in `apps`, absolute and sorted. */
export function appDirectories(root: string): string[] {
  const apps = resolve(root, 'apps')
  if (!existsSync(apps)) return []
  return readdirSync(apps)
    .toSorted()
    .map((name) => join(apps, name))
    .filter((directory) => statSync(directory).isDirectory())
}

/** As problems and `Source`s name a file: relative to the root, with forward slashes. */
export function relativePath(root: string, file: string): string {
  return relative(resolve(root), file).split(sep).join('/')
}

function readApp(directory: string, manifest: string, refuse: (message: string) => void): App | null {
  let value: unknown
  try {
    value = JSON.parse(readFileSync(manifest, 'utf8'))
  } catch {
    refuse('It is not JSON.')
    return null
  }
  if (typeof value !== 'object' || value === null) {
    refuse('It is not a JSON object.')
    return null
  }
  const { name, schema, port, timeoutMs = 10_000, demoScopes = [] } = value as Record<string, unknown>
  const validName = typeof name === 'string' && isReceiverName(name)
  const validPort = typeof port === 'number' && Number.isInteger(port) && port > 0 && port < 65_536
  const validTimeout =
    typeof timeoutMs === 'number' && Number.isInteger(timeoutMs) && timeoutMs > 0 && timeoutMs <= 300_000
  const path = typeof schema === 'string' ? resolve(directory, schema) : null
  const validSchema = path !== null && path.startsWith(directory + sep)
  const unknown = Object.keys(value).filter((key) => !members.has(key))
  const validScopes = Array.isArray(demoScopes) && demoScopes.every((scope) => scopePattern.test(String(scope)))
  for (const key of unknown) refuse(`There is no "${key}".`)
  if (!validScopes) refuse('"demoScopes" must be a list of scopes, such as ["loyalty:read"].')
  if (!validName)
    refuse(
      '"name" must be lower-case letters, digits and underscores, such as "gift_cards", and not a name that is taken.',
    )
  if (!validPort) refuse('"port" must be a port number.')
  if (!validTimeout) refuse('"timeoutMs" must be 1 to 300000 milliseconds.')
  if (!validSchema) refuse('"schema" must be the path of a file in the app, such as "src/schema.graphql".')
  else if (!existsSync(path)) refuse(`"schema" names a file that does not exist: ${String(schema)}.`)
  return validName && validPort && validTimeout && validScopes && validSchema && existsSync(path)
    ? { name, directory, schema: path, port, timeoutMs, demoScopes }
    : null
}

/** RFC 6749 3.3 */
const scopePattern = /^[\x21\x23-\x5b\x5d-\x7e]+$/
