import { spawnSync } from 'node:child_process'
import { cpSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { compose } from '@behalf/composition'
import { afterAll, describe, expect, it } from 'vitest'
import { root } from './support/system.ts'

const copy = mkdtempSync(join(tmpdir(), 'behalf-tool-'))
for (const file of globSync('apps/*/{behalf.json,src/schema.graphql,tools/*.graphql}', { cwd: root })) {
  mkdirSync(dirname(join(copy, file)), { recursive: true })
  cpSync(join(root, file), join(copy, file))
}
afterAll(() => rmSync(copy, { recursive: true }))

describe('docs/guides/add-a-tool.md', () => {
  const [, tool = ''] =
    /^```graphql\n(.*?)^```$/ms.exec(readFileSync(join(root, 'docs/guides/add-a-tool.md'), 'utf8')) ?? []
  const file = join(copy, 'apps/orders/tools/list_shipments.graphql')

  it('shows a tool that compiles', async () => {
    writeFileSync(file, tool)
    const { graph } = await compose({ root: copy })
    expect(graph.tools.find(({ name }) => name === 'list_shipments')).toMatchObject({
      readOnly: true,
      inputSchema: { properties: { first: { default: 5 } }, additionalProperties: false },
    })
  })

  it('[P3] is refused, with file and line, once an argument says whose data it is', async () => {
    writeFileSync(file, tool.replace('($first: Int = 5)', '($first: Int = 5, $userId: ID!)'))
    await expect(compose({ root: copy })).rejects.toMatchObject({
      problems: [
        {
          file: 'apps/orders/tools/list_shipments.graphql',
          line: 4,
          advice: expect.stringContaining('nobody tells a tool whose data it is for') as string,
        },
      ],
    })
    writeFileSync(file, tool)
  })
})

describe('npm run compose, in a copy where somebody lets get_balance be told whose', () => {
  const file = 'apps/balance/tools/get_balance.graphql'
  const untouched = readFileSync(join(root, file), 'utf8')
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: { compose: string } }
  const [, ...script] = scripts.compose.split(' ')
  /** What the script runs, with the modules of this tree and the files of the copy. */
  function run(tool: string) {
    writeFileSync(join(copy, file), tool)
    const command = script.map((part) => (part.endsWith('.ts') ? join(root, part) : part))
    const { status, stdout, stderr } = spawnSync(process.execPath, command, { cwd: copy, encoding: 'utf8' })
    return { status, stdout, problems: stderr.trimEnd().split('\n') }
  }
  const asked = untouched.replace('query get_balance', 'query get_balance($userId: ID!)')

  it.each([
    [
      'that nothing uses',
      asked,
      /^apps\/balance\/tools\/get_balance\.graphql:4 {2}TOOL_INVALID get_balance: Variable "\$userId" is never used/,
      /^ {4}Leave it out: nobody tells a tool whose data it is for\. Start from `viewer`/,
    ],
    [
      'for an argument that does not exist',
      asked.replace('balance {', 'balance(userId: $userId) {'),
      /get_balance\.graphql:16 {2}TOOL_INVALID get_balance: Unknown argument "userId" on field "User\.balance"/,
      /^ {4}Leave it out: /,
    ],
    [
      'as whose balance it is',
      asked.replace('viewer {', 'user(id: $userId) {'),
      /get_balance\.graphql:15 {2}SUBJECT_UNBOUND Query\.user\(id:\) is @subject/,
      /^ {4}Fill it with a variable that is bound to the caller/,
    ],
  ])('[P3] fails, and says where and what to do: %s', (_how, tool, where, advice) => {
    const { status, stdout, problems } = run(tool)
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
    expect(problems).toEqual([
      expect.stringMatching(where),
      expect.stringMatching(advice),
      'The graph does not compose: 1 problem.',
    ])
  })

  it('passes as it is, and once the variable is bound to the caller', () => {
    const bound = asked.replace('$userId: ID!', '$userId: ID! @subject').replace('viewer {', 'user(id: $userId) {')
    for (const tool of [untouched, bound])
      expect(run(tool)).toMatchObject({ status: 0, stdout: expect.stringContaining('get_balance') })
  })
})
