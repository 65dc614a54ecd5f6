import { buildSchema, type ExecutionResult, getOperationAST, parse } from 'graphql'
import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import type { PlannedSubscription } from '../execute/plan/planned-subscription.ts'
import type { RequestContext } from '../execute/request-context.ts'
import type { SubgraphResponse } from '../execute/subgraph-response.ts'
import type { Denial } from './denial.ts'
import type { AuthorizationMode } from './authorization-mode.ts'
import { authorizeGateway } from './authorize-gateway.ts'
import { rule } from '../fixtures/rule.ts'
import { hashOf, needs, person } from './fixtures.ts'

type Gateway = Parameters<typeof authorizeGateway>[0]
type Executor = NonNullable<Awaited<ReturnType<Gateway['load']>>['executor']>
type Context = Parameters<Executor>[0]

const schema = buildSchema(`
  type Query { open(n: Int): Int, closed: Int, odd: Int, send: Int, approve: Int }
  type Subscription { open(n: Int): Int, closed: Int }`)

/** A gateway that answers what it is given with `open: 1`, and what was noted meanwhile. */
async function start(mode: AuthorizationMode) {
  const executed: string[] = []
  const recorded: string[] = []
  const logged: object[] = []
  async function execute({ source, operation, context }: Context): Promise<ExecutionResult> {
    executed.push(source)
    const { subscribe } = context as unknown as RequestContext
    if (!subscribe) return { data: { open: 1 } }
    subscribe({ operation, subgraph: 'all', body: source, answer: async ({ data }) => ({ data }) })
    return { data: null }
  }
  const gateway = authorizeGateway(gatewayOf(execute as Executor), {
    rules: {
      'Query.closed': needs('closed'),
      'Query.odd': rule({ policies: [['broken']] }),
      'Query.send': { ...needs('send'), delegates: { agent: 'assistant', subgraph: 'chat' } },
      'Query.approve': { ...needs('approve'), approves: 'chat' },
      'Subscription.closed': needs('closed'),
    },
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
  const ask = (source: string, variables?: Record<string, unknown>, subscribe?: RequestContext['subscribe']) => {
    const document = parse(source)
    const operation = getOperationAST(document)
    const request = { query: source, ...(variables && { variables }) }
    const context = { principal: person(), txn: 't', record, subscribe }
    const parts = { schema, document, source, operation, queryHash: hashOf(source), operationName: null }
    return executor?.({ ...parts, request, context } as unknown as Context)
  }
  return { ask, executed, recorded, logged }
}

const gatewayOf = (executor: Executor | null): Gateway => ({
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

it.each(['send', 'approve'])('[P6] even in a dry run, no ticket goes to a denied field: %s', async (field) => {
  const { ask, executed } = await start('dry-run')
  expect(await ask(`{ open closed ${field} }`)).toMatchObject({ data: { open: 1, closed: null, [field]: null } })
  await ask('{ open closed }')
  expect(executed.map((source) => source.replaceAll(/\s+/g, ' '))).toEqual(['{ open }', '{ open closed }'])
})

describe('[P6] a subscription', () => {
  const event: SubgraphResponse = { data: { open: 1 }, errors: [] }
  async function subscribed(source: string) {
    const { ask, executed } = await start('filter')
    const given: PlannedSubscription[] = []
    const answer = await ask(source, {}, (planned) => void given.push(planned))
    return { answer, given, executed: executed.map((text) => text.replaceAll(/\s+/g, ' ')) }
  }

  it('is handed over as far as it is allowed, and what is not is null in each event', async () => {
    const { given, executed } = await subscribed('subscription { open closed }')
    expect(executed).toEqual(['subscription { open }'])
    expect(await given[0]?.answer(event, {} as RequestContext)).toMatchObject({
      data: { open: 1, closed: null },
      errors: [{ path: ['closed'], extensions: { code: 'UNAUTHORIZED_FIELD_OR_TYPE' } }],
    })
  })

  it('is handed over as it is where all of it is allowed', async () => {
    const { answer, given, executed } = await subscribed('subscription { open }')
    expect([answer, executed]).toEqual([{ data: null }, ['subscription { open }']])
    expect(await given[0]?.answer(event, {} as RequestContext)).toEqual({ data: { open: 1 } })
  })

  it('is not where nothing of it is, nor where its variables cannot be used', async () => {
    const denied = await subscribed('subscription { closed }')
    expect(denied).toMatchObject({
      given: [],
      executed: [],
      answer: { data: { closed: null }, errors: [{ path: ['closed'] }] },
    })
    const unusable = await subscribed('subscription ($n: Int!) { open(n: $n) closed }')
    expect(unusable).toMatchObject({
      given: [],
      executed: [],
      answer: { errors: [{ message: expect.stringContaining('$n') }] },
    })
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
  expect(await authorizeGateway(gatewayOf(null), options).load({} as never)).toEqual({ executor: null })
  expect(await authorizeGateway(gatewayOf((async () => ({})) as Executor), options).load({} as never)).toEqual({
    executor: expect.any(Function),
  })
})
