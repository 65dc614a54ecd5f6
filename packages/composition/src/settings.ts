import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { JsonSchema } from '@behalf/identity'
import type { Problems } from './problem.ts'
import { scalarSchemas, type ScalarSchemas } from './scalar-schemas.ts'

/** What a repository adds to the defaults, in the root's behalf.json. */
export interface Settings {
  /** Patterns on snake-cased names that say that an input names a principal. */
  readonly subjectNames: readonly RegExp[]
  readonly scalars: ScalarSchemas
}

/** Reads `<root>/behalf.json`, if there is one: `{ "subjectNames": ["^member_no$"], "scalars": { "Url": { ... } } }`. */
export function readSettings(root: string, problems: Problems): Settings {
  const path = join(root, 'behalf.json')
  if (!existsSync(path)) return { subjectNames: [], scalars: scalarSchemas }
  const refuse = (message: string) => problems.add('SETTINGS_INVALID', { file: 'behalf.json' }, message)
  const { subjectNames = [], scalars = {}, ...unknown } = readObject(path, refuse)
  for (const name of Object.keys(unknown)) refuse(`There is no setting "${name}".`)

  const patterns: RegExp[] = []
  if (!Array.isArray(subjectNames)) refuse('"subjectNames" must be a list of regular expressions.')
  else {
    for (const source of subjectNames as unknown[]) {
      try {
        patterns.push(new RegExp(String(source)))
      } catch {
        refuse(`"subjectNames" has something that is no regular expression: ${String(source)}.`)
      }
    }
  }
  const mapped: Record<string, JsonSchema> = { ...scalarSchemas }
  if (!isObject(scalars)) refuse('"scalars" must be an object of JSON Schemas.')
  else {
    for (const [name, schema] of Object.entries(scalars)) {
      if (isObject(schema)) mapped[name] = schema
      else refuse(`"scalars" has no JSON Schema for ${name}.`)
    }
  }
  return { subjectNames: patterns, scalars: mapped }
}

function readObject(path: string, refuse: (message: string) => void): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'))
    if (isObject(value)) return value
    refuse('It is not a JSON object.')
  } catch {
    refuse('It is not JSON.')
  }
  return {}
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
