import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestGateway, type TestGateway } from '../fixtures/test-gateway.ts'
import type { DocumentOptions } from './documents.ts'

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
const persisted = (sha256Hash: unknown, version: unknown = 1) => ({ persistedQuery: { version, sha256Hash } })

const gateways: TestGateway[] = []
async function start(documents?: DocumentOptions): Promise<TestGateway> {
  const gateway = await startTestGateway({ ...(documents && { documents }) })
  gateways.push(gateway)
  return gateway
}
afterAll(() => Promise.all(gateways.map((gateway) => gateway[Symbol.asyncDispose]())))

const post = ({ send }: TestGateway, body: object, path = '/graphql') =>
  send(path, { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } })
const get = ({ send }: TestGateway, parameters: Record<string, string> | [string, string][], path = '/graphql') =>
  send(`${path}?${new URLSearchParams(parameters).toString()}`)
const failed = (code: string, status: number) => ({
  status,
  body: { errors: [{ extensions: { code } }], extensions: { txn: expect.any(String) } },
})
const backend = { status: 200, body: { data: { chatBackend: 'none' } } }

describe('a persisted query', () => {
  let gateway: TestGateway
  beforeAll(async () => {
    gateway = await start()
  })

  it('is asked for by its hash alone, once somebody has sent it, in a URL too', async () => {
    const query = '{ chatBackend }'
    const extensions = persisted(sha256(query))
    expect(await post(gateway, { extensions })).toMatchObject({
      status: 200,
      body: { errors: [{ message: 'PersistedQueryNotFound', extensions: { code: 'PERSISTED_QUERY_NOT_FOUND' } }] },
    })
    expect(await post(gateway, { query, extensions })).toMatchObject(backend)
    expect(await post(gateway, { extensions })).toMatchObject(backend)
    expect(await get(gateway, { extensions: JSON.stringify(extensions) })).toMatchObject(backend)
  })

  it('is authorized for each caller anew', async () => {
    const query = '{ whoami viewer { id } }'
    const extensions = persisted(sha256(query))
    const [ada, ben] = [await gateway.token(), await gateway.token({ sub: 'ben' })]
    const as = async (token: string, body: object) => {
      const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` }
      const { data } = (await gateway.send('/graphql', { method: 'POST', body: JSON.stringify(body), headers })).body
      return (JSON.parse(String(data?.['whoami'])) as { subject: string }).subject
    }
    expect(await as(ada, { query, extensions })).toBe('usr_ada')
    expect(await as(ben, { extensions })).toBe('usr_ben')
    expect(await as(ada, { extensions })).toBe('usr_ada')
  })

  it('cannot be put in the place of another', async () => {
    const query = '{ __typename }'
    const wrong = persisted(sha256('{ chatBackend __typename }'))
    expect(await post(gateway, { query, extensions: wrong })).toMatchObject(failed('BAD_REQUEST', 400))
    expect(await post(gateway, { extensions: wrong })).toMatchObject({
      body: { errors: [{ extensions: { code: 'PERSISTED_QUERY_NOT_FOUND' } }] },
    })
    expect(await post(gateway, { query, extensions: persisted(sha256(query)) })).toMatchObject({ status: 200 })
  })

  it('that does not fit the schema, or asks for too much, is not kept', async () => {
    const tooMuch = `{ ${Array.from({ length: 31 }, (_, i) => `a${i}: chatBackend`).join(' ')} }`
    for (const query of ['{ nothing }', tooMuch]) {
      const extensions = persisted(sha256(query))
      expect((await post(gateway, { query, extensions })).body.errors).toHaveLength(1)
      expect(await post(gateway, { extensions })).toMatchObject({
        body: { errors: [{ extensions: { code: 'PERSISTED_QUERY_NOT_FOUND' } }] },
      })
    }
  })

  it.each([
    ['of no hash', persisted(undefined)],
    ['of a hash that is no text', persisted(['x'])],
    ['of a hash in upper case', persisted(sha256('{ chatBackend }').toUpperCase())],
    ['of a name of Object.prototype', persisted('__proto__')],
    ['of another version', persisted(sha256('{ chatBackend }'), 2)],
  ])('%s is refused', async (_what, extensions) => {
    expect(await post(gateway, { extensions })).toMatchObject(failed('BAD_REQUEST', 400))
    expect(await get(gateway, { extensions: JSON.stringify(extensions) })).toMatchObject(failed('BAD_REQUEST', 400))
  })

  it('that changes something is not executed by GET', async () => {
    const query = 'mutation { rename(name: "x") { id } }'
    const extensions = persisted(sha256(query))
    expect(await post(gateway, { query, extensions })).toMatchObject({ body: { data: { rename: {} } } })
    const { received } = gateway.graph.users
    received.length = 0
    expect((await get(gateway, { extensions: JSON.stringify(extensions) })).status).toBe(405)
    expect(received).toEqual([])
  })
})

describe('a trusted document', () => {
  const greet = 'query Greet { chatBackend }'
  const find = 'query Find($id: ID!) { order(id: $id) { id } }'
  const rename = 'mutation { rename(name: "x") { id } }'
  const trusted = { greet, [`sha256:${sha256(find)}`]: find, [sha256(greet)]: greet, rename }
  let open: TestGateway
  let closed: TestGateway
  beforeAll(async () => {
    open = await start({ trusted })
    closed = await start({ trusted, only: true })
  })

  it('is asked for by its id, by POST and GET, with variables', async () => {
    const variables = { id: '7' }
    const documentId = `sha256:${sha256(find)}`
    for (const gateway of [open, closed]) {
      expect(await post(gateway, { documentId: 'greet' })).toMatchObject(backend)
      expect(await get(gateway, { documentId: 'greet' })).toMatchObject(backend)
      expect(await post(gateway, { documentId, variables })).toMatchObject({ body: { data: { order: { id: '7' } } } })
      expect(await get(gateway, { documentId, variables: JSON.stringify(variables) })).toMatchObject({
        body: { data: { order: { id: '7' } } },
      })
    }
  })

  it('is asked for as a persisted query, by its hash, without having been sent', async () => {
    for (const gateway of [open, closed]) {
      const extensions = persisted(sha256(greet))
      expect(await post(gateway, { extensions })).toMatchObject(backend)
      expect(await get(gateway, { extensions: JSON.stringify(extensions) })).toMatchObject(backend)
      expect(await post(gateway, { query: greet, extensions })).toMatchObject(backend)
    }
  })

  it('of another id is not found', async () => {
    for (const documentId of ['other', '__proto__', 'constructor', 7, { greet }]) {
      expect(await post(open, { documentId })).toMatchObject(failed('DOCUMENT_UNKNOWN', 404))
      expect(await post(closed, { documentId })).toMatchObject(failed('DOCUMENT_UNKNOWN', 404))
    }
    expect(await post(closed, { extensions: persisted(sha256(find)) })).toMatchObject(failed('DOCUMENT_UNKNOWN', 404))
    expect(await post(open, { documentId: 'greet', query: find })).toMatchObject(failed('BAD_REQUEST', 400))
  })

  it('may be the only kind there is: any other text is refused, and nobody can add one', async () => {
    const query = '{ whoami }'
    const extensions = persisted(sha256(query))
    expect(await post(open, { query })).toMatchObject({ status: 200 })
    for (const body of [{ query }, { query, extensions }, { query: '{ __schema { queryType { name } } }' }])
      expect(await post(closed, body)).toMatchObject(failed('DOCUMENT_NOT_TRUSTED', 403))
    expect(await get(closed, { query })).toMatchObject(failed('DOCUMENT_NOT_TRUSTED', 403))
    expect(await post(closed, { extensions })).toMatchObject(failed('DOCUMENT_UNKNOWN', 404))
    expect(await post(closed, { query: `${greet} ` })).toMatchObject(failed('DOCUMENT_NOT_TRUSTED', 403))
    expect(await post(closed, { query: greet })).toMatchObject(backend)
  })

  it('is not sent beside another one', async () => {
    const body = `{"documentId":"greet","documentId":null,"query":"{ whoami }"}`
    expect(
      await closed.send('/graphql', { method: 'POST', body, headers: { 'content-type': 'application/json' } }),
    ).toMatchObject(failed('DOCUMENT_NOT_TRUSTED', 403))
    const twice = [
      ['query', greet],
      ['query', '{ whoami }'],
    ] satisfies [string, string][]
    expect((await get(closed, twice)).status).toBe(400)
    expect(await get(closed, { documentId: 'greet', query: '{ whoami }' })).toMatchObject(failed('BAD_REQUEST', 400))
  })

  it('is authorized and limited as any operation is, and changes nothing by GET', async () => {
    const { received } = closed.graph.users
    received.length = 0
    expect((await get(closed, { documentId: 'rename' })).status).toBe(405)
    expect(received).toEqual([])
    expect(await post(closed, { documentId: 'rename' })).toMatchObject({ body: { data: { rename: {} } } })
  })

  it('is all that is streamed, too', async () => {
    const stream = '/graphql/stream'
    const query = '{ whoami }'
    expect(await post(closed, { query }, stream)).toMatchObject(failed('DOCUMENT_NOT_TRUSTED', 403))
    expect(await get(closed, { query }, stream)).toMatchObject(failed('DOCUMENT_NOT_TRUSTED', 403))
    expect(await post(closed, { documentId: 'other' }, stream)).toMatchObject(failed('DOCUMENT_UNKNOWN', 404))
    // It got as far as an operation: this one is no subscription.
    expect((await post(closed, { documentId: 'greet' }, stream)).text).toContain('Only subscriptions are served')
    expect((await get(closed, { documentId: 'greet' }, stream)).text).toContain('Only subscriptions are served')
  })
})
