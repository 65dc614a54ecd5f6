import { buildSchema, type ExecutionResult, getOperationAST, parse } from 'graphql'
import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import type { Denial } from './denial.ts'
import type { AuthorizationMode } from './authorization-mode.ts'
import { authorizeGateway } from './authorize-gateway.ts'
import { hashOf, needs, person, rule } from './fixtures.ts'

type Gateway = Parameters<typeof authorizeGateway>[0]
type Executor = NonNullable<Awaited<ReturnType<Gateway['load']>>['executor']>
type Context = Parameters<Executor>[0]

const schema = buildSchema('type Query { open(n: Int): Int, closed: Int, odd: Int }')

/** A gateway that answers what it is given with `open: 1`, and what was noted meanwhile. */
async function start(mode: AuthorizationMode) {
  const executed: string[] = []
  const recorded: string[] = []
  const logged: object[] = []
  const execute = async ({ source }: Context): Promise<ExecutionResult> => (
    executed.push(source),
    { data: { open: 1 } }
  )
  const gateway = authorizeGateway(stub(execute as Executor), {
    rules: { 'Query.closed': needs('closed'), 'Query.odd': rule({ policies: [['broken']] }) },
    subjects: {},
    policies: {
      broken: () => {
        throw new Error('broken')
      },
    },
    mode,
    challengeOf: () => null,
    log: pino({}, { write: (line) => void logged.push(JSON.parse(line) as object) }),
  })
  const { executor } = await gateway.load({
    apollo: { key: undefined, keyHash: undefined, graphRef: undefined },
  } as never)
  const record = {
    denied: (denials: readonly Denial[]) => void recorded.push(denials.map(({ coordinate }) => coordinate).join()),
  }
  const ask = (source: string, variables?: Record<string, unknown>) => {
    const document = parse(source)
    const operation = getOperationAST(document)
    const request = { query: source, ...(variables && { variables }) }
    const context = { principal: person(), txn: 't', record }
    const parts = { schema, document, source, operation, queryHash: hashOf(source), operationName: null }
    return executor?.({ ...parts, request, context } as unknown as Context)
  }
  return { ask, executed, recorded, logged }
}

const stub = (executor: Executor | null): Gateway => ({
  onSchemaLoadOrUpdate: () => () => undefined,
  stop: async () => undefined,
  load: async () => ({ executor }),
})

describe('[P6] what is denied', () => {
  it('is on record: filtered or rejected, and where nothing is, that, too', async () => {
    const filter = await start('filter')
    expect(await filter.ask('{ open closed }')).toMatchObject({ data: { open: 1, closed: null } })
    expect([filter.executed.length, filter.recorded]).toEqual([1, ['Query.closed']])
    const reject = await start('reject')
    expect(await reject.ask('{ open closed }')).not.toHaveProperty('data')
    expect([reject.executed.length, reject.recorded]).toEqual([0, ['Query.closed']])
    expect(await reject.ask('{ open }')).toMatchObject({ data: { open: 1 } })
    expect([reject.executed.length, reject.recorded]).toEqual([1, ['Query.closed']])
  })

  it('is a warning in a dry run, where there is any, and not on record', async () => {
    const { ask, logged, recorded } = await start('dry-run')
    await ask('query ($on: Boolean = true) { open closed @skip(if: $on) }')
    expect(logged).toEqual([])
    await ask('{ open closed }')
    expect(logged).toMatchObject([{ msg: 'would have been denied', denied: [{ coordinate: 'Query.closed' }] }])
    expect(recorded).toEqual([])
  })

  it('is an error in the log only where a policy could not be decided', async () => {
    const { ask, logged } = await start('filter')
    await ask('{ open closed }')
    expect(logged).toEqual([])
    await ask('{ open closed odd }')
    expect(logged).toMatchObject([{ msg: 'a policy could not be decided', err: expect.anything() }])
  })

  it('is the same where no variables are sent', async () => {
    const { ask } = await start('filter')
    const query = 'query ($n: Int) { open(n: $n) closed odd }'
    expect(await ask(query)).toMatchObject({ data: { open: 1, closed: null, odd: null } })
    expect(await ask(query, {})).toMatchObject({ data: { open: 1, closed: null, odd: null } })
  })
})

it('a gateway that has nothing to execute with is left so', async () => {
  const options = {
    rules: {},
    subjects: {},
    policies: {},
    mode: 'filter',
    challengeOf: () => null,
    log: pino(),
  } as const
  expect(await authorizeGateway(stub(null), options).load({} as never)).toEqual({ executor: null })
  expect(await authorizeGateway(stub((async () => ({})) as Executor), options).load({} as never)).toEqual({
    executor: expect.any(Function),
  })
})
