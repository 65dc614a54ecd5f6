import { createLog } from '@behalf/process'
import { expect, it } from 'vitest'
import { buildSchema } from './build-schema.ts'
import { createExecutor } from './execute-operation.ts'
import { ada, identityOf, links } from './fixtures.ts'
import { RequestContext } from './request-context.ts'

it('tells whoever gets this far what the schema is, and leaves signals to the process', async () => {
  const signals = () => process.listenerCount('SIGTERM') + process.listenerCount('SIGINT')
  const before = signals()
  const schema = buildSchema('notes', `${links} type Query { a: String }`, {})
  const executor = createExecutor(schema, createLog('notes', 'silent'), () => undefined)
  await executor.start()
  try {
    expect(signals()).toBe(before)
    const verified = { identity: await identityOf(ada), request: '', jti: null, until: null, ticket: null }
    const request = { query: '{ __schema { queryType { name } } }', operationName: null, variables: {} }
    const { status, body } = await executor.execute(request, new RequestContext(verified, null, () => undefined))
    expect([status, JSON.parse(body)]).toEqual([200, { data: { __schema: { queryType: { name: 'Query' } } } }])
  } finally {
    await executor.stop()
  }
})
