import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { readConfig } from './config.ts'
import { run } from './run.ts'

let cwd = ''
let out: string[] = []
let error: string[] = []
const behalf = (...args: string[]) =>
  run(args, readConfig({}), { cwd, out: (line) => out.push(line), error: (line) => error.push(line) })

const schema = `extend schema
  @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@requiresScopes"])
  @link(url: "https://behalf.dev/identity/v0.1", import: ["@owner", "@public"])
type Query { points: Points @requiresScopes(scopes: [["points:read"]]) }
type Points @owner(field: "userId") { balance: Int level: String }
`
const write = (text: string) => writeFileSync(join(cwd, 'apps/loyalty/schema.graphql'), text)

beforeAll(async () => {
  cwd = mkdtempSync(join(tmpdir(), 'cli-'))
  mkdirSync(join(cwd, 'apps/loyalty/tools'), { recursive: true })
  writeFileSync(join(cwd, 'apps/loyalty/behalf.json'), '{"name":"loyalty","schema":"schema.graphql","port":4105}')
  const tool = '"""Points."""\nquery get_points @tool { points { balance } }'
  writeFileSync(join(cwd, 'apps/loyalty/tools/get_points.graphql'), tool)
  write(schema)
  await behalf('compose', '--out', 'graph.released.json')
})
afterAll(() => rmSync(cwd, { recursive: true, force: true }))
beforeEach(() => {
  write(schema)
  out = []
  error = []
})

describe('behalf check', () => {
  it('is content with what was released, and with what is new', async () => {
    expect(await behalf('check')).toBe(0)
    write(schema.replace('level: String', 'level: String next: String'))
    expect(await behalf('check', '--root', '.')).toBe(0)
    expect(out).toEqual(
      Array.from({ length: 2 }, () => 'Against graph.released.json: 0 loosened, 0 breaking, 0 other.'),
    )
  })

  it('tells what was loosened first, then what breaks', async () => {
    write(schema.replace('[["points:read"]]', '[["points:read"], ["any"]]').replace(' level: String', ''))
    expect(await behalf('check')).toBe(1)
    expect(out).toEqual([
      '!!  LOOSENED: somebody may see, do or be told of more than before',
      '  SCOPES  Query.points asks for scopes any or points:read, and asked for scopes points:read.',
      '  TOOL_SCOPES  get_points asks for scopes any or points:read, and asked for scopes points:read.',
      '',
      'BREAKING: worked before, and no longer does',
      '  FIELD_REMOVED  Points.level was removed.',
      '',
      'Also',
      '  SUBGRAPH_SCOPES  loyalty is now told whether callers have the scope any.',
      '',
      'Against graph.released.json: 2 loosened, 1 breaking, 1 other.',
    ])
  })

  it.each([
    ['what breaks alone', schema.replace(' level: String', ''), 1],
    ['what was loosened alone', schema.replace('@owner(field: "userId")', '@public'), 1],
    ['neither', schema.replace('points:read"]]', 'points:read"]] '), 0],
  ])('has an exit code for %s', async (_what, text, code) => {
    write(text)
    expect(await behalf('check')).toBe(code)
  })

  it('tells programs', async () => {
    write(schema.replace('@owner(field: "userId")', '@public'))
    expect(await behalf('check', '--json')).toBe(1)
    expect(JSON.parse(out.join('\n'))).toEqual({
      against: expect.any(String),
      graph: expect.any(String),
      changes: [
        {
          level: 'LOOSENED',
          code: 'OWNER',
          at: 'Points',
          message: 'Points is @public in loyalty, and was @owner(field: "userId").',
        },
      ],
    })
  })

  it('says why it cannot', async () => {
    expect(await behalf('check', '--against', 'nowhere.json')).toBe(2)
    expect(error[0]).toContain('nowhere.json')
    expect(error[1]).toContain('behalf compose --out nowhere.json')
    writeFileSync(join(cwd, 'other.json'), '{ "format": 2 }')
    expect(await behalf('check', '--against', 'other.json')).toBe(2)
    write(schema.replace(' @owner(field: "userId")', ''))
    expect(await behalf('check')).toBe(2)
    expect(error.join()).toContain('apps/loyalty/schema.graphql:5  OWNERSHIP_UNSAID')
    expect(out).toEqual([])
  })
})
