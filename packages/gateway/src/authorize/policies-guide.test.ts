import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Policies } from '@behalf/identity'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ComposedGateway, startComposedGateway } from '../fixtures/composed-gateway.ts'

describe('docs/guides/policies.md', () => {
  let gateway: ComposedGateway
  let guide: string
  const shown = (language: string): string =>
    new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, 'ms').exec(guide)?.[1] ?? ''

  beforeAll(async () => {
    guide = await readFile(join(import.meta.dirname, '../../../../docs/guides/policies.md'), 'utf8')
    const folder = join(import.meta.dirname, '../../.reports')
    const code = join(folder, 'policies-guide.ts')
    await mkdir(folder, { recursive: true })
    await writeFile(code, shown('ts'))
    const { policies } = (await import(/* @vite-ignore */ code)) as { policies: Policies }
    await rm(code)
    const resolvers = { Query: { statement: () => 'balanced', quote: () => 'cheap' } }
    gateway = await startComposedGateway({ subgraphs: { money: { schema: shown('graphql'), resolvers } }, policies })
  })
  afterAll(() => gateway[Symbol.asyncDispose]())

  const now = () => Math.floor(Date.now() / 1000)
  const ask = async (query: string, claims: object = {}) => {
    const { data, errors = [] } = (await gateway.ask(query, { token: await gateway.token({ ...claims }) })).body
    return { data, errors }
  }

  it('comes to what it says', async () => {
    const error = { path: ['statement'], extensions: { code: 'STEP_UP_REQUIRED', maxAge: 3600 } }
    expect(await ask('{ statement }', { auth_time: now() - 4000 })).toMatchObject({ errors: [error] })
    expect(await ask('{ statement }', { auth_time: now() - 3000 })).toMatchObject({
      data: { statement: 'balanced' },
      errors: [],
    })
    expect(await ask('{ statement }', { auth_time: now() - 4000 })).toMatchObject(JSON.parse(shown('json')) as object)

    const large = '{ quote(amount: 100) }'
    expect(await ask('{ quote(amount: 99) }')).toMatchObject({ data: { quote: 'cheap' }, errors: [] })
    expect(await ask(large, { acr: 'mfa' })).toMatchObject({ data: { quote: 'cheap' }, errors: [] })
    expect(await ask(large)).toMatchObject({
      errors: [{ extensions: { code: 'STEP_UP_REQUIRED', acrValues: ['mfa'] } }],
    })
    expect(await ask(large, { acr: 'mfa', client_id: 'robot' })).toMatchObject({
      errors: [{ extensions: { code: 'UNAUTHORIZED_FIELD_OR_TYPE' } }],
    })
  })
})
