import { AppError } from '@behalf/identity'
import { describe, expect, it } from 'vitest'
import { buildSchema } from './build-schema.ts'
import { createExecuteOperation } from './execute-operation.ts'
import { ada, identityOf, links } from './fixtures.ts'
import { createReadOperation } from './read-operation.ts'
import { RequestContext } from './request-context.ts'

const fails = (error: Error) => () => {
  throw error
}
const schema = buildSchema(
  'notes',
  `${links} type Query { a(n: Int): String denied: String broken: String must: String! }`,
  {
    Query: {
      a: () => 'A',
      denied: fails(new AppError('NOT_FOUND', 'No such note.')),
      broken: fails(new Error('connect 10.0.0.7')),
      must: () => null,
    },
  },
)
const read = createReadOperation(schema)

/** What is answered, and what is noted of it. */
async function answer(query: string, variables: Record<string, unknown> = {}) {
  const noted: unknown[] = []
  const execute = createExecuteOperation(schema, (errors, { subject }) => {
    for (const { message, ...error } of errors) noted.push({ message, subject, ...error })
  })
  const verified = { identity: await identityOf(ada), request: '', jti: null, until: null, ticket: null }
  const context = new RequestContext(verified, null, () => undefined)
  const { status, body } = await execute(read({ query, operationName: null, variables }), context)
  return { status, json: JSON.parse(body) as unknown, noted }
}

describe('an operation', () => {
  it('is answered with its data, and nothing is noted', async () => {
    expect(await answer('{ a }')).toEqual({ status: 200, json: { data: { a: 'A' } }, noted: [] })
  })

  it('tells whoever gets this far what the schema is', async () => {
    const { json } = await answer('{ __schema { queryType { name } } }')
    expect(json).toEqual({ data: { __schema: { queryType: { name: 'Query' } } } })
  })

  it('is answered with what was found beside what failed, which is noted as it was', async () => {
    const { status, json, noted } = await answer('{ a denied broken }')
    const place = { locations: [expect.anything()] }
    const errors = [
      { message: 'No such note.', path: ['denied'], extensions: { code: 'NOT_FOUND' }, ...place },
      {
        message: 'Something went wrong on our side.',
        path: ['broken'],
        extensions: { code: 'INTERNAL' },
        ...place,
      },
    ]
    expect([status, json]).toEqual([200, { errors, data: { a: 'A', denied: null, broken: null } }])
    expect(noted).toMatchObject([
      { message: 'No such note.', subject: 'usr_ada', path: ['denied'] },
      { message: 'connect 10.0.0.7', path: ['broken'] },
    ])
    expect(await answer('{ must }')).toMatchObject({ status: 200, json: { data: null } })
  })

  it('that does not fit the schema is not executed: all that is wrong with it is told, and where', async () => {
    const { status, json, noted } = await answer('{ a no none }')
    const fault = (field: string, column: number) => ({
      message: `Cannot query field "${field}" on type "Query".`,
      locations: [{ line: 1, column }],
      extensions: { code: 'GRAPHQL_VALIDATION_FAILED' },
    })
    expect([status, json]).toEqual([400, { errors: [fault('no', 5), fault('none', 8)] }])
    expect(noted).toMatchObject([{ extensions: { code: 'GRAPHQL_VALIDATION_FAILED' } }, {}])
  })

  it('whose variables do not fit is not executed', async () => {
    const query = 'query($n: Int) { a(n: $n) }'
    const { status, json, noted } = await answer(query, { n: 'one' })
    const message = expect.stringContaining('Variable "$n" got invalid value "one"')
    const errors = [{ message, locations: [{ line: 1, column: 7 }], extensions: { code: 'BAD_USER_INPUT' } }]
    expect([status, json]).toEqual([400, { errors }])
    expect(noted).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT' } }])
    expect(await answer(query, { n: 1 })).toMatchObject({ status: 200, json: { data: { a: 'A' } } })
  })
})
