import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestGateway, type TestGateway } from '../fixtures/test-gateway.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await startTestGateway()
})
afterAll(() => gateway[Symbol.asyncDispose]())

describe('names that a client chooses', () => {
  it.each([
    ['{ __proto__: viewer { id name orders { id } } }', '__proto__'],
    ['{ constructor: viewer { prototype: name id points } }', 'constructor'],
    ['{ hasOwnProperty: viewer { toString: name __proto__: orders { constructor: total } } }', 'hasOwnProperty'],
    ['{ _entities: viewer { id points } }', '_entities'],
    ['{ extensions: viewer { errors: id data: points } }', 'extensions'],
  ])('%s is answered, and changes no prototype', async (query, name) => {
    const before = Object.getOwnPropertyNames(Object.prototype).length
    const { text, body } = await gateway.ask(query, { token: await gateway.token() })
    expect(body.errors).toBeUndefined()
    expect(text).toContain(`"${name}":{`)
    expect(Object.getOwnPropertyNames(Object.prototype)).toHaveLength(before)
  })

  it('as a variable, that of a plan is refused by name; any other is taken', async () => {
    const ask = async (variable: string) =>
      gateway.ask(`query($${variable}: Boolean!) { viewer { id points @include(if: $${variable}) } }`, {
        token: await gateway.token(),
        variables: { [variable]: true },
      })
    expect(await ask('representations')).toMatchObject({
      status: 400,
      body: { errors: [{ message: expect.stringContaining('representations'), extensions: { code: 'BAD_REQUEST' } }] },
    })
    for (const variable of ['representation', '__proto__', 'constructor', '_entities'])
      expect(await ask(variable)).toMatchObject({ status: 200, body: { data: { viewer: { points: 7 } } } })
  })
})
