import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { buildSchema, getOperationAST, parse, validate } from 'graphql'
import { describe, expect, it } from 'vitest'
import { measureOperation } from './measure-operation.ts'
import { defaultOperationLimits } from './operation-limits.ts'
import { defaultRateLimits } from './rate-limits.ts'

const page = readFileSync(join(import.meta.dirname, '../../../../docs/concepts/limits.md'), 'utf8')

describe('docs/concepts/limits.md', () => {
  it('[P15] has an example that costs what it says', () => {
    const [sdl = '', query = ''] = Array.from(page.matchAll(/```graphql\n(.*?)```/gs), ([, block]) => block)
    const schema = buildSchema(sdl)
    const document = parse(query)
    expect(validate(schema, document)).toEqual([])
    const { cost } = measureOperation(schema, document, getOperationAST(document)!)
    const [, withFive, without] = /costs (\d+) with `\{ "n": 5 \}`, and (\d+) without/.exec(page) ?? []
    expect([cost({ n: 5 }), cost({})]).toEqual([Number(withFive), Number(without)])
  })

  it('has the limits that there are', () => {
    const rows = Array.from(page.matchAll(/^\| `(\w+)` \| (\d+) \|/gm), ([, name, most]) => [name, Number(most)])
    expect(Object.fromEntries(rows)).toEqual(defaultOperationLimits)
    const numbers = (of: string) =>
      Array.from((new RegExp(`^\\| ${of} \\|(.*)$`, 'm').exec(page)?.[1] ?? '').matchAll(/\d+/g), ([text]) =>
        Number(text),
      )
    expect(numbers('a user')).toEqual(Object.values(defaultRateLimits.user))
    expect(numbers('a tenant')).toEqual(Object.values(defaultRateLimits.tenant))
    expect(numbers('a client address')).toEqual(Object.values(defaultRateLimits.anonymous))
  })
})
