import { execFile } from 'node:child_process'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { findApps } from '@behalf/composition'
import { buildSchema, type GraphQLError, parse, validate, type GraphQLSchema } from 'graphql'
import { beforeAll, describe, expect, it } from 'vitest'
import { root } from './support/system.ts'

interface Project {
  readonly schema: string | readonly string[]
  readonly documents?: string
}
const { default: config } = (await import(/* @vite-ignore */ join(root, 'graphql.config.js'))) as {
  default: { projects: Readonly<Record<string, Project>> }
}
const { projects } = config
const read = (file: string) => readFileSync(join(root, file), 'utf8')
/** As the language service builds it: of all files together, and checked. */
const schemaOf = ({ schema }: Project, edit = (text: string) => text): GraphQLSchema =>
  buildSchema([schema].flat().map(read).map(edit).join('\n'))

beforeAll(async () => {
  const types = ['--conditions=@behalf/source', 'packages/cli/src/main.ts', 'types']
  await promisify(execFile)(process.execPath, types, { cwd: root })
})

describe('graphql.config.js', () => {
  const graph = projects['graph']!
  const tools = globSync(graph.documents ?? '', { cwd: root })

  it('knows every subgraph, and what each links', () => {
    const apps = findApps(root).map(({ name }) => name)
    expect(Object.keys(projects).toSorted()).toEqual([...apps, 'graph'].toSorted())
    for (const app of apps) expect(() => schemaOf(projects[app]!)).not.toThrow()
  })

  it.each(['@key(fields: "id")', '@owner(field: "id", unless: [["users:read"]])'])(
    'knows %s by its definition',
    (text) => {
      const misspelt = text.replace('(', 'z(')
      expect(() => schemaOf(projects['orders']!, (sdl) => sdl.replace(text, misspelt))).toThrow('Unknown directive')
      const argument = text.replace('field', 'nothing')
      expect(() => schemaOf(projects['orders']!, (sdl) => sdl.replace(text, argument))).toThrow('Unknown argument')
    },
  )

  it('has the tools valid in the composed schema, and a wrong one not', () => {
    const schema = schemaOf(graph)
    expect(tools.length).toBeGreaterThan(5)
    const errors = (text: string): readonly GraphQLError[] => validate(schema, parse(text))
    for (const tool of tools) expect(errors(read(tool))).toEqual([])
    const first = 'apps/balance/tools/get_balance.graphql'
    expect(errors(read(first).replace('@tool(', '@tool(colour: "red", '))).toHaveLength(1)
    expect(errors(read(first).replace('viewer {', 'viewer { nothing '))).toHaveLength(1)
  })
})

describe('.vscode', () => {
  it('points to files that are there', () => {
    const settings = JSON.parse(read('.vscode/settings.json')) as { 'json.schemas': readonly { url: string }[] }
    for (const { url } of settings['json.schemas']) expect(existsSync(join(root, url))).toBe(true)
    expect(JSON.parse(read('.vscode/extensions.json'))).toMatchObject({ recommendations: expect.any(Array) as unknown })
  })
})
