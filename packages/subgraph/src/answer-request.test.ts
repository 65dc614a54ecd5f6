import { anonymousSubject, AppError, type OperationType, type Principal, type VerifiedBody } from '@behalf/identity'
import type { BoundTransaction, Postgres } from '@behalf/postgres'
import { createLog } from '@behalf/process'
import { setTimeout } from 'node:timers/promises'
import { buildSchema } from 'graphql'
import { describe, expect, it } from 'vitest'
import { createAnswerRequest } from './answer-request.ts'
import type { Answer, ExecuteOperation as Execute } from './execute-operation.ts'
import { ada, agentOf, encode, identityOf, logBook, principal } from './fixtures.ts'
import { createReadOperation } from './read-operation.ts'
import { transaction } from './request-context.ts'

const ok: Answer = { status: 200, body: '{"data":{}}' }
const nothing: Execute = () => Promise.resolve(ok)
const effect: Execute = async (_request, context) => {
  await context[transaction]?.field(() => Promise.resolve())
  return ok
}
const commits: Execute = async (_request, context) => {
  await context.commit()
  return ok
}
const fails = (thrown: Error) => (): Promise<never> => Promise.reject(thrown)

interface Options {
  readonly execute: Execute
  readonly as?: Principal
  readonly jti?: string | null
  readonly bound?: Partial<BoundTransaction<unknown>>
  readonly answerMs?: number
  readonly gone?: AbortSignal
  readonly without?: 'db'
}

/** Asks with a database that does as it is told, and tells what it was asked. */
async function ask(
  operation: OperationType,
  {
    execute,
    as = ada,
    jti = 'jti-1',
    bound = {},
    answerMs = 5000,
    gone = new AbortController().signal,
    without,
  }: Options,
) {
  const did: string[] = []
  const opened = Object.defineProperties(
    {
      conflicted: false,
      perform: (of: { id: string }, work: () => Promise<unknown>) => did.push(`perform ${of.id}`) && work(),
      savepoint: (work: () => Promise<unknown>) => work(),
      commit: async () => void did.push('commit'),
      end: async () => void did.push('end'),
    },
    Object.getOwnPropertyDescriptors(bound),
  )
  const db = {
    bind: (_of: unknown, mode: string) => did.push(mode) && opened,
    requireRoom: () => undefined,
    consume: async () => true,
    audit: null,
  }
  const identity = await identityOf(as)
  const body: VerifiedBody = {
    verifyOperation: () => Promise.resolve({ identity, request: 'hash', jti, until: null, ticket: null }),
  }
  const log = logBook()
  const answerRequest = createAnswerRequest({
    db: without === 'db' ? null : (db as unknown as Postgres<unknown>),
    executeOperation: (...given) => Promise.resolve(did.push('execute')).then(() => execute(...given)),
    readOperation: createReadOperation(buildSchema('type Query { a: Int }')),
    streams: { open: () => Promise.reject(new Error('no streams here')) },
    answerMs,
  })
  const answer = answerRequest(body, encode({ query: `${operation} { a }` }), gone, createLog('notes', 'info', log))
  const late = setTimeout(3000, null, { ref: false }).then(() => Promise.reject(new Error('Nothing was answered.')))
  return { answer: (await Promise.race([answer, late])) as Answer, did, lines: log.lines }
}
const codeOf = ({ body }: Answer) => (JSON.parse(body) as { errors: { extensions: object }[] }).errors[0]?.extensions

describe('a mutation', () => {
  it('is recorded under the id of its token, or of the tool call that it is, and committed', async () => {
    const did = ['write', 'perform jti-1', 'execute', 'commit', 'end']
    expect(await ask('mutation', { execute: effect })).toEqual({ answer: ok, did, lines: [] })
    const as = agentOf(ada, 'call_1')
    expect((await ask('mutation', { execute: effect, as })).did).toEqual(did.with(1, 'perform call_1'))
  })

  it('[P8] is not executed where it has no id under which it would be once', async () => {
    const { answer, did } = await ask('mutation', { execute: effect, jti: null })
    expect([answer.status, codeOf(answer), did]).toEqual([500, { code: 'INTERNAL' }, ['write', 'end']])
    const unkept = await ask('mutation', { execute: effect, without: 'db' })
    expect([unkept.answer.status, unkept.did]).toEqual([500, []])
    expect(unkept.lines).toMatchObject([{ err: 'a mutation without a database' }])
    expect((await ask('query', { execute: nothing, without: 'db' })).answer).toBe(ok)
  })

  it("[P8] is nobody's without a user", async () => {
    const as = principal(anonymousSubject, { tenant: null })
    await expect(ask('mutation', { execute: effect, as })).rejects.toMatchObject({ code: 'UNAUTHENTICATED' })
    expect((await ask('query', { execute: nothing, as })).answer).toBe(ok)
  })

  it('is answered and not recorded where nothing of it took effect', async () => {
    const performed: unknown[] = []
    const perform: BoundTransaction<unknown>['perform'] = (_effect, work) =>
      work().catch((error: unknown) => {
        performed.push(error)
        throw error
      })
    const { answer, did } = await ask('mutation', { execute: nothing, bound: { perform } })
    expect([answer, did]).toEqual([ok, ['write', 'execute', 'end']])
    expect(performed).toMatchObject([{ message: 'no field of the mutation took effect' }])
  })
})

describe('[P13] a mutation that others kept from being serialized', () => {
  const conflictedFor = (times: number) => ({
    get conflicted() {
      return times-- > 0
    },
  })

  it('is run again in a transaction of its own, until it is through', async () => {
    let runs = 0
    const bound = {
      get conflicted() {
        return runs < 3
      },
    }
    const execute: Execute = (...given) => effect(...given).finally(() => runs++)
    const { answer, did } = await ask('mutation', { execute, bound })
    expect(answer).toBe(ok)
    const [run, last] = [
      ['write', 'perform jti-1', 'execute', 'end'],
      ['write', 'perform jti-1', 'execute', 'commit', 'end'],
    ]
    expect(did).toEqual([...run, ...run, ...last])
  })

  it('has what is left of its time when it is run again, and no more', async () => {
    const again = (second: Execute): Options => {
      let runs = 0
      const bound = {
        get conflicted() {
          return runs < 2
        },
      }
      return { execute: (...given) => (runs++ === 0 ? effect : second)(...given), bound, answerMs: 500 }
    }
    const slow: Execute = (...given) => setTimeout(20).then(() => effect(...given))
    expect((await ask('mutation', again(slow))).answer).toBe(ok)
    const never = await ask(
      'mutation',
      again(() => new Promise(() => undefined)),
    )
    expect([never.answer.status, never.did.filter((what) => what === 'execute')]).toEqual([503, ['execute', 'execute']])
  })

  it('is not run again once its time is over, or for what it did fail of', async () => {
    const { answer, lines } = await ask('mutation', { execute: effect, bound: conflictedFor(Infinity), answerMs: 60 })
    expect([answer.status, codeOf(answer)]).toEqual([503, { code: 'UNAVAILABLE' }])
    expect(lines).toMatchObject([{ level: 'warn', code: 'UNAVAILABLE' }])
    const failed = await ask('mutation', { execute: fails(new Error('a fault of its own')) })
    expect([failed.answer.status, failed.did.filter((what) => what === 'execute')]).toEqual([500, ['execute']])
  })

  it('is not run again where some of it is durable, and no query is', async () => {
    expect((await ask('mutation', { execute: commits, bound: conflictedFor(Infinity) })).did).toEqual([
      'write',
      'perform jti-1',
      'execute',
      'commit',
      'commit',
      'end',
    ])
    const query = await ask('query', { execute: fails(new Error('no')), bound: conflictedFor(Infinity) })
    expect(query.did.filter((what) => what !== 'end')).toEqual(['read', 'execute'])
    expect(query.answer.status).toBe(500)
  })
})

describe('an answer', () => {
  it('of a query does not wait until its connection is given back; that of a mutation which failed does', async () => {
    const given = Promise.withResolvers<void>()
    const bound = { end: () => given.promise }
    expect((await ask('query', { execute: nothing, bound })).answer).toBe(ok)
    let answered = false
    const mutation = ask('mutation', { execute: fails(new Error('no')), bound }).finally(() => (answered = true))
    await new Promise(setImmediate)
    expect(answered).toBe(false)
    given.resolve()
    expect((await mutation).answer.status).toBe(500)
  })
})

describe('an operation that fails', () => {
  it('is in the log with its cause where that is our fault, and with its reason where it is not', async () => {
    const ours = await ask('query', { execute: fails(new Error('10.0.0.7')) })
    expect(ours.answer.body).not.toContain('10.0.0.7')
    expect(ours.lines).toMatchObject([{ level: 'error', code: 'INTERNAL', err: { message: '10.0.0.7' } }])
    const theirs = await ask('query', { execute: fails(new AppError('BAD_USER_INPUT', 'No.', { cause: 'so' })) })
    expect(JSON.parse(theirs.answer.body)).toMatchObject({ errors: [{ message: 'No.' }], data: null })
    expect(theirs.lines).toMatchObject([{ level: 'warn', code: 'BAD_USER_INPUT', reason: 'so' }])
    expect(theirs.lines[0]).not.toHaveProperty('err')
  })
})

describe('an operation whose caller has gone', () => {
  /** It cannot be cancelled: it asks for something when it was given up already. */
  const slow =
    (gate: Promise<unknown>): Execute =>
    (...given) =>
      gate.then(() => effect(...given))

  it('is given up if it only reads, and ended again once it has', async () => {
    const gate = Promise.withResolvers<void>()
    const { answer, did, lines } = await ask('query', { execute: slow(gate.promise), gone: AbortSignal.abort() })
    expect([answer.status, did]).toEqual([503, ['read', 'execute', 'end']])
    expect(lines).toMatchObject([{ reason: 'the caller has gone' }])
    gate.resolve()
    await expect.poll(() => did).toEqual(['read', 'execute', 'end', 'end'])
  })

  it('is carried through if it is a mutation', async () => {
    const { answer } = await ask('mutation', { execute: slow(Promise.resolve()), gone: AbortSignal.abort() })
    expect(answer).toBe(ok)
  })

  it('is given up when its time is over, whatever it is', async () => {
    const never = slow(new Promise(() => undefined))
    for (const operation of ['query', 'mutation'] as const) {
      const { answer, lines } = await ask(operation, { execute: never, answerMs: 20 })
      expect(answer.status).toBe(503)
      expect(lines).toMatchObject([
        { reason: expect.stringMatching(/^not answered in 1?\d ms$|^not answered in 20 ms$/) },
      ])
    }
  })
})
