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

  it.each([
    'representations',
    'contextualArgument_1_0',
    'representation',
    '__proto__',
    'constructor',
    '_entities',
    '_0',
  ])('as the variable $%s, whatever plans have of that name', async (variable) => {
    const answer = await gateway.ask(
      `query($${variable}: Boolean!) { viewer { id points @include(if: $${variable}) } }`,
      {
        token: await gateway.token(),
        variables: { [variable]: true },
      },
    )
    expect(answer).toMatchObject({ status: 200, body: { data: { viewer: { points: 7 } } } })
  })

  it('as an alias of another field, a key or what a plan adds', async () => {
    const token = await gateway.token()
    const { body } = await gateway.ask('{ viewer { id: name __typename: points orders { id: total } } }', { token })
    expect(body.errors).toBeUndefined()
    expect(body.data).toEqual({ viewer: { id: 'Ada', __typename: 7, orders: [{ id: '10.00' }] } })
  })
})
