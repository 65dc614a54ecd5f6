import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { randomBytes } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deriveContextKeys, firstEpoch } from '@behalf/identity'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readConfig } from './config.ts'
import { run } from './run.ts'

let cwd = ''
let out: string[] = []
let error: string[] = []
const config = readConfig({ BEHALF_ROOT_KEY: randomBytes(32).toString('base64url') })
const behalf = (...args: string[]) =>
  run(args, config, { cwd, out: (line) => out.push(line), error: (line) => error.push(line) })

const schema = `extend schema
  @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@requiresScopes"])
  @link(url: "https://behalf.dev/identity/v0.1", import: ["@owner", "@public"])
type Query { points: Points @requiresScopes(scopes: [["points:read"]]) }
type Points @owner(field: "userId") { balance: Int }
`

function write(text: string) {
  mkdirSync(join(cwd, 'apps/loyalty/tools'), { recursive: true })
  writeFileSync(
    join(cwd, 'apps/loyalty/behalf.json'),
    '{ "name": "loyalty", "schema": "schema.graphql", "port": 4105 }',
  )
  writeFileSync(join(cwd, 'apps/loyalty/schema.graphql'), text)
  writeFileSync(
    join(cwd, 'apps/loyalty/tools/get_points.graphql'),
    '"""Points."""\nquery get_points @tool { points { balance } }',
  )
}

beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'cli-'))
  out = []
  error = []
})
afterEach(() => rmSync(cwd, { recursive: true, force: true }))

describe('behalf compose', () => {
  it('says where it cannot write', async () => {
    write(schema)
    expect(await behalf('compose', '--out', 'nowhere/graph.json')).toBe(1)
    expect(error.join()).toMatch(/nowhere\/graph\.json cannot be written: ENOENT/)
  })

  it('writes the artefact and says what is in it', async () => {
    write(schema)
    expect(await behalf('compose')).toBe(0)
    const graph = JSON.parse(readFileSync(join(cwd, 'graph.json'), 'utf8'))
    expect(graph).toMatchObject({ format: 1, subgraphs: { loyalty: { scopes: ['points:read'] } } })
    expect(out).toEqual([
      'subgraphs 1: loyalty',
      'rules     1',
      'tools     1',
      '  get_points  points:read',
      `hash      ${graph.hash}`,
      'written   graph.json',
    ])
    expect(error).toEqual([])
  })

  it('tells problems by file and line with advice, and keeps the last good artefact', async () => {
    write(schema)
    await behalf('compose', '--out', 'made.json')
    const good = readFileSync(join(cwd, 'made.json'), 'utf8')
    write(schema.replace('@owner(field: "userId") ', ''))
    expect(await behalf('compose', '--root', '.', '--out', 'made.json')).toBe(1)
    expect(error[0]).toMatch(/^apps\/loyalty\/schema\.graphql:5 {2}OWNERSHIP_UNSAID /)
    expect(error[1]).toMatch(/^ {4}Say whose/)
    expect(readFileSync(join(cwd, 'made.json'), 'utf8')).toBe(good)
  })
})

describe('behalf keys', () => {
  it('prints, without more words, the keys that a gateway signs with without more words', async () => {
    expect(await behalf('keys', 'orders')).toBe(0)
    expect(out).toEqual([deriveContextKeys(config.rootKey ?? '', 'orders', [firstEpoch, firstEpoch - 1])])
  })

  it('prints the keys of an epoch and the one before', async () => {
    expect(await behalf('keys', 'orders', '--epoch', '3')).toBe(0)
    expect(out[0]).toMatch(/^3:[\w-]{43},2:[\w-]{43}$/)
  })

  it.each([['orders', '--epoch=-1'], ['orders', '--epoch', 'x'], ['Orders!']])('refuses %j', async (...args) => {
    expect(await behalf('keys', ...args)).toBe(2)
    expect(out).toEqual([])
    expect(error).toHaveLength(1)
  })

  it('needs the root key, and does not print it', async () => {
    expect(
      await run(['keys', 'orders'], readConfig({}), {
        cwd,
        out: (line) => out.push(line),
        error: (line) => error.push(line),
      }),
    ).toBe(2)
    const bad = readConfig({ BEHALF_ROOT_KEY: 'too-short' })
    expect(
      await run(['keys', 'orders'], bad, { cwd, out: (line) => out.push(line), error: (line) => error.push(line) }),
    ).toBe(2)
    expect(error.join(' ')).not.toContain('too-short')
  })
})

describe('behalf revoke', () => {
  it.each([
    [],
    ['--subject', ''],
    ['--subject', 'usr_ada', '--issuer', ''],
    ['--issuer', 'https://issuer.test'],
    ['--session', 'sid-1'],
    ['--session', 'sid-1', '--issuer', 'https://issuer.test', '--subject', 'usr_ada'],
    ['--delegation', 'dlg_1', '--issuer', 'https://issuer.test'],
    ['--delegation', 'dlg_1', '--subject', 'usr_ada'],
    ['--subject', 'usr_ada', '--epoch', '1'],
    ['usr_ada'],
  ])('does not understand %j', async (...args) => {
    expect(await behalf('revoke', ...args.flat())).toBe(2)
    expect(error.at(-1)).toContain('behalf --help')
  })

  it('needs a database that does it, and says why it does not', async () => {
    expect(await behalf('revoke', '--subject', 'usr_ada')).toBe(2)
    expect(error.at(-1)).toContain('DATABASE_URL')
    const nowhere = readConfig({ DATABASE_URL: 'postgres://gateway:hunter2@127.0.0.1:1/behalf' })
    const terminal = { cwd, out: (line: string) => out.push(line), error: (line: string) => error.push(line) }
    expect(await run(['revoke', '--subject', 'usr_ada'], nowhere, terminal)).toBe(1)
    expect(error.at(-1)).toContain('ECONNREFUSED')
    expect(error.join()).not.toContain('hunter2')
    expect(out).toEqual([])
  })
})

describe('behalf', () => {
  it('explains itself', async () => {
    expect(await behalf('--help')).toBe(0)
    for (const command of ['compose', 'check', 'types', 'keys', 'revoke']) expect(out[0]).toContain(`behalf ${command}`)
  })

  it.each([
    [],
    ['compos'],
    ['compose', 'more'],
    ['compose', '--epoch', '1'],
    ['keys'],
    ['keys', 'orders', '--subject', 'x'],
    ['check', '--out', 'x'],
    ['types', '--out', 'x'],
    ['types', '--documents', 'x'],
    ['--what'],
  ])('does not understand %j', async (...args) => {
    expect(await behalf(...args.flat())).toBe(2)
    expect(error.at(-1)).toContain('behalf --help')
  })
})
