import { sql } from 'kysely'
import { describe, expect, it } from 'vitest'
import { refusal, scriptedPool, type ScriptedClient } from '../fixtures/scripted-pool.ts'
import { bindTransaction } from './bound-transaction.ts'
import { CallerConnection } from './caller-connection.ts'
import { storedCaller } from './caller.ts'

const ada = { sub: 'usr_ada', tenant: 'acme', scopes: '', actor: '' }
const lost = new Error('Connection terminated unexpectedly')
type Script = ConstructorParameters<typeof ScriptedClient>[0]

function open(mode: 'read' | 'write', ...scripts: Script[]) {
  const { pool, taken } = scriptedPool(...scripts)
  return { connection: new CallerConnection(pool, ada, mode), taken }
}
/** Answers `text` as told, and everything else as usual. */
const when =
  (text: string, answer: () => ReturnType<Script>): Script =>
  (sent) =>
    sent === text ? answer() : undefined
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'done',
    (error: { code?: string }) => error.code,
  )
/** What a resolver asked for, and what that took; without how it began. */
const statements = (client: ScriptedClient | undefined) => client?.sent.slice(2)

describe('a commit', () => {
  it.each([
    ['write', 'OUTCOME_UNKNOWN'],
    ['read', 'UNAVAILABLE'],
  ] as const)('that is lost with its connection, of a transaction to %s, is %s', async (mode, code) => {
    const { connection, taken } = open(
      mode,
      when('commit', () => Promise.reject(lost)),
    )
    await connection.query('select 1', [])
    await expect(connection.commit()).rejects.toMatchObject({ code, cause: lost })
    expect(taken[0]?.released).toEqual([true])
  })

  it('that PostgreSQL refuses says so, and the connection is not used again', async () => {
    const refused = refusal('23505')
    const { connection, taken } = open(
      'write',
      when('commit', () => Promise.reject(refused)),
    )
    await connection.query('select 1', [])
    await expect(connection.commit()).rejects.toBe(refused)
    expect(taken[0]?.released).toEqual([true])
  })

  it('of what never began is none', async () => {
    const { connection, taken } = open('write')
    await connection.commit()
    expect(taken).toEqual([])
  })

  it('gives its connection back once, in doubt if it does not say that it is idle', async () => {
    for (const [status, inDoubt] of [
      ['I', false],
      ['T', true],
    ] as const) {
      const { connection, taken } = open(
        'write',
        when('commit', () => Promise.resolve({ command: 'COMMIT', status })),
      )
      await connection.query('select 1', [])
      await connection.commit()
      expect(taken[0]?.released).toEqual([inDoubt])
      expect(taken[0]?.listenerCount('error')).toBe(0)
    }
  })

  it('during which the loss is heard of first gives the connection back once', async () => {
    const answer = Promise.withResolvers<never>()
    const { connection, taken } = open(
      'write',
      when('commit', () => answer.promise),
    )
    await connection.query('select 1', [])
    const committed = codeOf(connection.commit())
    await expect.poll(() => taken[0]?.sent.at(-1)).toBe('commit')
    taken[0]?.emit('error', lost)
    answer.reject(lost)
    expect(await committed).toBe('OUTCOME_UNKNOWN')
    expect(taken[0]?.released).toEqual([true])
  })

  it('with a nested transaction open undoes all', async () => {
    const { connection, taken } = open('write')
    connection.savepoint()
    await connection.query('select 1', [])
    await expect(connection.commit()).rejects.toMatchObject({
      code: 'INTERNAL',
      cause: { message: expect.stringMatching(/nested/) },
    })
    expect(statements(taken[0])).toEqual(['savepoint behalf_1', 'select 1', 'rollback'])
    expect(taken[0]?.released).toEqual([false])
  })

  it('after a nested transaction has ended is as any other', async () => {
    const { connection, taken } = open('write')
    const outer = connection.savepoint()
    await connection.query('select 1', [])
    connection.savepoint()
    await connection.rollbackTo(outer)
    const next = connection.savepoint()
    await connection.query('select 2', [])
    await connection.release(next)
    await connection.commit()
    expect(statements(taken[0])).toEqual([
      'savepoint behalf_1',
      'select 1',
      'rollback to savepoint behalf_1',
      'release savepoint behalf_1',
      'savepoint behalf_3',
      'select 2',
      'release savepoint behalf_3',
      'commit',
    ])
  })

  it('of a nested transaction in which nothing happened sends nothing', async () => {
    const { connection, taken } = open('write')
    const outer = connection.savepoint()
    await connection.release(connection.savepoint())
    await connection.rollbackTo(connection.savepoint())
    await connection.release(outer)
    await connection.commit()
    expect(taken).toEqual([])
  })

  it('comes after what was put off, in the same transaction', async () => {
    const { connection, taken } = open('write')
    connection.defer({ text: 'select put off' })
    await connection.commit([{ text: 'select last' }])
    expect(statements(taken[0])).toEqual(['select put off', 'select last', 'commit'])
    expect(taken[0]?.released).toEqual([false])
  })

  it('is not made of what was put off before a rollback', async () => {
    const { connection, taken } = open('write')
    connection.defer({ text: 'select put off' })
    await connection.rollback()
    await connection.commit()
    expect(taken).toEqual([])
  })

  it('takes queries only', async () => {
    const { connection, taken } = open('write')
    await expect(connection.commit([{ text: 'drop table notes' }])).rejects.toThrow('runs queries only')
    await expect(connection.queries([{ text: 'select 1' }, { text: 'commit' }])).rejects.toThrow('runs queries only')
    expect(taken).toEqual([])
  })
})

describe('a rollback', () => {
  it.each<[string, ReturnType<Script>, boolean]>([
    ['that succeeds', Promise.resolve({ command: 'ROLLBACK', status: 'I' }), false],
    ['after which it is not idle', Promise.resolve({ command: 'ROLLBACK', status: 'E' }), true],
  ])('%s gives the connection back', async (_what, answer, inDoubt) => {
    const { connection, taken } = open(
      'write',
      when('rollback', () => answer),
    )
    await connection.query('select 1', [])
    await connection.rollback()
    await connection.rollback()
    expect(taken[0]?.released).toEqual([inDoubt])
    expect(statements(taken[0])).toEqual(['select 1', 'rollback'])
  })

  it('that fails gives the connection back in doubt', async () => {
    const { connection, taken } = open(
      'write',
      when('rollback', () => Promise.reject(lost)),
    )
    await connection.query('select 1', [])
    await connection.rollback()
    expect(taken[0]?.released).toEqual([true])
  })

  it('that fails before the transaction had begun gives it back in doubt, too, though it seems to be idle', async () => {
    const unanswered = Promise.withResolvers<never>()
    const { connection, taken } = open('write', (sent) =>
      sent === 'rollback' ? Promise.reject(lost) : unanswered.promise,
    )
    void connection.query('select 1', [])
    await expect.poll(() => taken[0]?.sent.at(-1)).toBe('select 1')
    await connection.rollback()
    expect(taken[0]?.released).toEqual([true])
  })

  it('during which the connection is lost leaves alone what began meanwhile', async () => {
    const answer = Promise.withResolvers<never>()
    const { connection, taken } = open(
      'read',
      when('rollback', () => answer.promise),
    )
    await connection.query('select 1', [])
    const undone = connection.rollback()
    taken[0]?.emit('error', lost)
    await connection.query('select 2', [])
    answer.reject(lost)
    await undone
    expect(taken.map(({ released }) => released)).toEqual([[true], []])
    await connection.query('select 3', [])
    expect(taken).toHaveLength(2)
  })

  it('lets savepoints of before be forgotten, and nothing be sent for them', async () => {
    const { connection, taken } = open('write')
    const savepoint = connection.savepoint()
    await connection.query('select 1', [])
    await connection.rollback()
    await connection.rollbackTo(savepoint)
    expect(taken).toHaveLength(1)
    await connection.query('select 1', [])
    await connection.commit()
    expect(statements(taken[1])).toEqual(['select 1', 'commit'])
  })
})

describe('a loss', () => {
  it('of what was only read is none: the next query begins anew', async () => {
    const { connection, taken } = open('read')
    await connection.query('select 1', [])
    taken[0]?.emit('error', lost)
    await connection.query('select 2', [])
    expect(taken.map(({ released }) => released)).toEqual([[true], []])
  })

  it('of what was written stops all until a rollback', async () => {
    const { connection, taken } = open('write')
    await connection.query('select 1', [])
    taken[0]?.emit('error', lost)
    await expect(connection.query('select 2', [])).rejects.toMatchObject({ code: 'UNAVAILABLE', cause: lost })
    await expect(connection.commit()).rejects.toMatchObject({ code: 'UNAVAILABLE', cause: lost })
    await connection.rollback()
    await connection.query('select 3', [])
    expect(taken.map(({ sent }) => sent.at(-1))).toEqual(['select 1', 'select 3'])
  })

  it('heard of late does not take the connection that came after', async () => {
    const late = Promise.withResolvers<never>()
    const { connection, taken } = open(
      'read',
      when('select late', () => late.promise),
    )
    await connection.query('select 1', [])
    const failing = codeOf(connection.query('select late', []))
    taken[0]?.emit('error', lost)
    await connection.query('select 2', [])
    late.reject(lost)
    expect(await failing).toBe('UNAVAILABLE')
    expect(taken.map(({ released }) => released)).toEqual([[true], []])
  })

  it('at the beginning is why the first query fails', async () => {
    const refused = refusal('57P03')
    const { connection, taken } = open('write', (sent) =>
      sent === 'begin isolation level read committed read write' ? Promise.reject(refused) : undefined,
    )
    await expect(connection.query('select 1', [])).rejects.toMatchObject({ code: 'UNAVAILABLE', cause: refused })
    expect(taken[0]?.released).toEqual([true])
  })
})

describe('a query that fails', () => {
  const failing = when('select bad', () => Promise.reject(refusal('22012')))

  it('of a transaction to read starts that over, so that others go on', async () => {
    const { connection, taken } = open('read', failing)
    expect(await codeOf(connection.query('select bad', []))).toBe('22012')
    await connection.query('select 1', [])
    expect(taken.map(statements)).toEqual([['select bad', 'rollback'], ['select 1']])
  })

  it('within a nested one is undone to its savepoint, and no further', async () => {
    const { connection, taken } = open('read', failing)
    const savepoint = connection.savepoint()
    expect(await codeOf(connection.query('select bad', []))).toBe('22012')
    await connection.rollbackTo(savepoint)
    expect(statements(taken[0])).toEqual([
      'savepoint behalf_1',
      'select bad',
      'rollback to savepoint behalf_1',
      'release savepoint behalf_1',
    ])
    expect(taken[0]?.released).toEqual([])
  })

  it('of a transaction to write leaves it to the request', async () => {
    const { connection, taken } = open('write', failing)
    expect(await codeOf(connection.query('select bad', []))).toBe('22012')
    expect(statements(taken[0])).toEqual(['select bad'])
    expect(taken[0]?.released).toEqual([])
  })
})

describe('[P13] what others at the same time were in the way of', () => {
  const failing = when('select bad', () => Promise.reject(refusal('40001')))

  it('is known to be, from a query or the commit, whatever fails after it', async () => {
    for (const script of [failing, when('commit', () => Promise.reject(refusal('40P01')))]) {
      const { connection } = open('write', script)
      expect(connection.conflicted).toBe(false)
      await codeOf(connection.query('select bad', []))
      await codeOf(connection.commit())
      expect(connection.conflicted).toBe(true)
    }
    const { connection } = open('write', (sent) =>
      sent.startsWith('select bad') ? Promise.reject(refusal(sent.endsWith('1') ? '40001' : '22012')) : undefined,
    )
    for (const [text, conflicted] of [
      ['select bad 2', false],
      ['select bad 1', true],
      ['select bad 2', true],
    ] as const) {
      await codeOf(connection.query(text, []))
      expect(connection.conflicted).toBe(conflicted)
    }
  })

  it('is known to whoever bound the transaction', async () => {
    const { pool } = scriptedPool(failing)
    const bound = bindTransaction<object>(pool, storedCaller({ subject: 'usr_ada', tenant: 'acme' }), 'write', 1000)
    expect(bound.conflicted).toBe(false)
    expect(await codeOf(sql`select bad`.execute(bound.db))).toBe('UNAVAILABLE')
    expect(bound.conflicted).toBe(true)
  })
})

it('begins as its caller, to read or to write, before anything else', async () => {
  for (const mode of ['read', 'write'] as const) {
    const { connection, taken } = open(mode)
    await connection.query('select 1', [])
    expect(taken[0]?.sent[0]).toBe(
      mode === 'read' ? 'begin read only' : 'begin isolation level read committed read write',
    )
    expect(taken[0]?.sent[1]).toContain(`set_config('behalf.sub', $1, true)`)
    expect(taken[0]?.sent[2]).toBe('select 1')
  }
})

it('a query that ends the transaction is the last', async () => {
  const { connection, taken } = open(
    'write',
    when('select odd', () => Promise.resolve({ command: 'COMMIT', status: 'I' })),
  )
  await expect(connection.query('select odd', [])).rejects.toThrow('ended the bound transaction')
  expect(taken[0]?.released).toEqual([true])
  expect(await codeOf(connection.query('select 1', []))).toBe('UNAVAILABLE')
})

it('[P4] after its end nothing is asked, committed or begun', async () => {
  const { connection, taken } = open('write')
  await connection.query('select 1', [])
  await connection.end()
  expect(taken[0]?.released).toEqual([false])
  expect(await codeOf(connection.query('select 2', []))).toBe('UNAVAILABLE')
  expect(await codeOf(connection.commit())).toBe('UNAVAILABLE')
  expect(taken).toHaveLength(1)
})
