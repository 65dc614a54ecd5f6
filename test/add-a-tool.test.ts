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
        { file: 'apps/orders/tools/list_shipments.graphql', line: 4, advice: expect.stringMatching(/./) as string },
      ],
    })
  })
})
