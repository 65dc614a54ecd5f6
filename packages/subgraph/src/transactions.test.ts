import { AppError } from '@behalf/identity'
import { postgres } from '@behalf/postgres'
import { testDatabase, type TestDatabase } from '@behalf/postgres/embedded'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { createSubgraph, type ListeningSubgraph } from './create-subgraph.ts'
import { ada, agentOf, ben, contextKeys, links, logBook, principal, receiver, run, trustDomain } from './fixtures.ts'
import type { Resolvers } from './resolvers.ts'

interface Tables {
  note: { id: string; owner: string; text: string }
  reference: { id: string; owner: string; note: string }
}
interface Note {
  readonly id: string
  readonly text: string
}

const typeDefs = `${links}
  type Query { notes: [Note] note(id: ID!): Note me: String slow: String sneak(id: ID!): Note many: String fails: String! }
  type Note @public { id: ID! text: String broken: String }
  type Mutation {
    write(id: ID!, text: String = ""): Note
    writeAndFail(id: ID!, text: String = ""): Note @agent(access: ALLOW)
    writeSlowly(id: ID!): Note
    commitAndFail(id: ID!): Note
    commitTwice(id: ID!): Note
    refer(note: ID!): String
  }
`
const migration = `
  create table note (id text primary key, owner text not null, text text not null);
  select behalf.own('note', 'owner');
  create table reference (id text primary key, owner text not null, note text not null references note (id) deferrable initially deferred);
  select behalf.own('reference', 'owner');
`

/** When the queries of `many` have ended. */
let manyDone: Promise<unknown> = Promise.resolve()
/** A gate that slow resolvers wait at. */
let gate = Promise.withResolvers<void>()
/** Resolvers that arrived there. */
let arrived = Promise.withResolvers<void>()
let afterGate: Promise<unknown> = Promise.resolve()

const resolvers: Resolvers<Tables> = {
  Query: {
    notes: (_parent, _args, { db }) => db.selectFrom('note').selectAll().orderBy('id').execute(),
    note: async (_parent, { id }: Note, { db }) =>
      (await db.selectFrom('note').selectAll().where('id', '=', id).executeTakeFirst()) ?? null,
    many: async (_parent, _args, { db }) => {
      const queries = [1, 2, 3].map(() => db.selectFrom('note').selectAll().execute())
      manyDone = Promise.allSettled(queries)
      await Promise.all(queries)
      return 'done'
    },
    fails: async () => {
      throw new Error('at once')
    },
    sneak: (_parent, { id }: Note, { db, identity }) =>
      db.insertInto('note').values({ id, text: '', owner: identity.subject }).returningAll().executeTakeFirst(),
    me: async (_parent, _args, { db, identity }) => {
      const rows = await db.selectNoFrom((eb) => eb.fn<string>('behalf.sub').as('sub')).execute()
      return `${identity.subject} ${rows[0]?.sub}`
    },
    slow: async (_parent, _args, { db }) => {
      await db.selectFrom('note').selectAll().execute()
      arrived.resolve()
      await gate.promise
      return db
        .selectFrom('note')
        .selectAll()
        .execute()
        .then(() => 'done')
    },
  },
  Note: {
    broken: () => {
      throw new Error('select password from secrets')
    },
  },
  Mutation: {
    write: (_parent, note: Note, { db, identity }) =>
      db
        .insertInto('note')
        .values({ ...note, owner: identity.subject })
        .returningAll()
        .executeTakeFirst(),
    writeAndFail: async (_parent, note: Note, { db, identity }) => {
      await db
        .insertInto('note')
        .values({ ...note, owner: identity.subject })
        .execute()
      throw new AppError('BAD_USER_INPUT', 'Not like this.', { cause: 'a reason for the log' })
    },
    writeSlowly: async (_parent, { id }: Note, { db, identity }) => {
      await db.insertInto('note').values({ id, text: '', owner: identity.subject }).execute()
      arrived.resolve()
      await gate.promise
      afterGate = db
        .insertInto('note')
        .values({ id: `${id}-late`, text: '', owner: identity.subject })
        .execute()
      await afterGate
      return { id }
    },
    commitAndFail: async (_parent, { id }: Note, { db, identity, commit }) => {
      await db.insertInto('note').values({ id, text: 'kept', owner: identity.subject }).execute()
      await commit()
      await db
        .insertInto('note')
        .values({ id: `${id}-lost`, text: '', owner: identity.subject })
        .execute()
      throw new Error('after the commit')
    },
    commitTwice: async (_parent, { id }: Note, { db, identity, commit }) => {
      for (const part of ['a', 'b']) {
        await db
          .insertInto('note')
          .values({ id: `${id}-${part}`, text: '', owner: identity.subject })
          .execute()
        await commit()
      }
      return db
        .insertInto('note')
        .values({ id: `${id}-c`, text: '', owner: identity.subject })
        .returningAll()
        .executeTakeFirst()
    },
    refer: async (_parent, { note }: { note: string }, { db, identity }) => {
      await db.insertInto('reference').values({ id: note, note, owner: identity.subject }).execute()
      return note
    },
  },
}

const log = logBook()
let database: TestDatabase
let folder: string
let databaseUrl: string
let subgraph: ListeningSubgraph
const opened: ListeningSubgraph[] = []

async function start(limits = {}, max = 10): Promise<ListeningSubgraph> {
  const db = postgres<Tables>({ url: databaseUrl, max, statementTimeoutMs: 3000 })
  const started = await createSubgraph<Tables>({
    name: receiver,
    typeDefs,
    resolvers,
    contextKeys,
    trustDomain,
    db,
    limits,
    log,
  }).listen({ port: 0 })
  opened.push(started)
  return started
}

beforeAll(async () => {
  database = await testDatabase()
  folder = await mkdtemp(join(tmpdir(), 'behalf-'))
  await writeFile(join(folder, '001.sql'), migration)
  databaseUrl = await database.provision(receiver, folder)
  subgraph = await start()
})
afterEach(() => {
  gate.resolve()
  gate = Promise.withResolvers()
  arrived = Promise.withResolvers()
  afterGate = Promise.resolve()
})
afterAll(async () => {
  await Promise.all(opened.map((each) => each.close()))
  await database.close()
  await rm(folder, { recursive: true })
})

const notesOf = async (who = ada) => {
  const { json } = await run(subgraph.url, '{ notes { id } }', { as: who })
  return ((json.data?.['notes'] ?? []) as Note[]).map(({ id }) => id)
}
const human = (name: string) => principal(`usr_${name}`)

describe('a query', () => {
  it("sees what is the caller's, and writes nothing", async () => {
    await run(subgraph.url, 'mutation { write(id: "ada-1") { id } }')
    await run(subgraph.url, 'mutation { write(id: "ben-1") { id } }', { as: ben })
    expect(await notesOf(ada)).toEqual(['ada-1'])
    expect(await notesOf(ben)).toEqual(['ben-1'])
    const answer = await run(subgraph.url, '{ sneak(id: "ben-2") { id } me }', { as: ben })
    expect(answer.json.data).toEqual({ sneak: null, me: 'usr_ben usr_ben' })
    expect(log.lines.at(-1)).toMatchObject({ err: { message: expect.stringContaining('read-only transaction') } })
    expect(await notesOf(ben)).toEqual(['ben-1'])
  })

  it('that fails at once leaves no transaction behind in which its other fields go on', async () => {
    const one = await start({}, 1)
    for (const field of ['many fails', 'many']) {
      const answer = await run(one.url, `{ ${field} }`)
      expect(answer.json.data).toEqual(field === 'many' ? { many: 'done' } : null)
      await manyDone
    }
  })

  it('is told of a text that no database can hold', async () => {
    const answer = await run(subgraph.url, 'query($id: ID!) { note(id: $id) { id } }', { variables: { id: 'a\0b' } })
    expect(answer.json).toMatchObject({ data: { note: null }, errors: [{ extensions: { code: 'BAD_USER_INPUT' } }] })
    const twin = await run(subgraph.url, 'query($id: ID!) { note(id: $id) { id } }', { variables: { id: 'a b' } })
    expect(twin.json).toEqual({ data: { note: null } })
  })

  it("keeps what users wrote out of the log, in a refusal and in a database's error", async () => {
    const variables = { id: { secret: 'of the user' } }
    const answer = await run(subgraph.url, 'query($id: ID!) { note(id: $id) { id } }', { variables })
    expect(answer.json.errors?.[0]?.extensions.code).toBe('BAD_USER_INPUT')
    expect(log.lines.at(-1)).toMatchObject({ msg: 'operation refused', code: 'BAD_USER_INPUT' })
    const eve = human('eve')
    await run(subgraph.url, 'mutation { a: write(id: "of the user") { id } b: write(id: "of the user") { id } }', {
      as: eve,
    })
    expect(log.lines.at(-1)).toMatchObject({ msg: 'resolver failed', err: { code: '23505' } })
    expect(JSON.stringify(log.lines)).not.toContain('of the user')
  })

  it("is nobody else's, a hundred at once", async () => {
    const users = Array.from({ length: 100 }, (_, index) => human(`u${index}`))
    const answers = await Promise.all(users.map((as) => run(subgraph.url, '{ a: me b: me }', { as })))
    expect(answers.map(({ json }) => json.data)).toEqual(
      users.map(({ subject }) => ({ a: `${subject} ${subject}`, b: `${subject} ${subject}` })),
    )
  })
})

describe('the fields of a mutation', () => {
  it('fail alone: what the failing one did is undone, its siblings stay', async () => {
    const cara = human('cara')
    const answer = await run(
      subgraph.url,
      'mutation { a: write(id: "c1") { id } b: writeAndFail(id: "c2") { id } c: write(id: "c1") { id } d: write(id: "c3") { id } }',
      { as: cara },
    )
    expect(answer).toMatchObject({
      status: 200,
      json: { data: { a: { id: 'c1' }, b: null, c: null, d: { id: 'c3' } } },
    })
    expect(answer.json.errors?.map(({ path, extensions }) => [path, extensions.code])).toEqual([
      [['b'], 'BAD_USER_INPUT'],
      [['c'], 'INTERNAL'],
    ])
    expect(await notesOf(cara)).toEqual(['c1', 'c3'])
  })

  it('can commit: what comes before is kept, what comes after is undone with the field', async () => {
    const dora = human('dora')
    const answer = await run(
      subgraph.url,
      'mutation { a: write(id: "d1") { id } b: commitAndFail(id: "d2") { id } c: write(id: "d3") { id } }',
      { as: dora },
    )
    expect(answer.json.data).toEqual({ a: { id: 'd1' }, b: null, c: { id: 'd3' } })
    expect(await notesOf(dora)).toEqual(['d1', 'd2', 'd3'])
  })

  it('can commit more than once', async () => {
    const emil = human('emil')
    expect((await run(subgraph.url, 'mutation { commitTwice(id: "e") { id } }', { as: emil })).json.data).toEqual({
      commitTwice: { id: 'e-c' },
    })
    expect(await notesOf(emil)).toEqual(['e-a', 'e-b', 'e-c'])
  })

  it('did nothing where the commit fails', async () => {
    const fred = human('fred')
    const answer = await run(subgraph.url, 'mutation { write(id: "f1") { id } refer(note: "nowhere") }', { as: fred })
    expect(answer).toMatchObject({ status: 500, json: { data: null, errors: [{ extensions: { code: 'INTERNAL' } }] } })
    expect(await notesOf(fred)).toEqual([])
    expect(
      (await run(subgraph.url, 'mutation { write(id: "f1") { id } refer(note: "f1") }', { as: fred })).json.data,
    ).toEqual({ write: { id: 'f1' }, refer: 'f1' })
  })
})

describe('a tool call', () => {
  const approval = { id: 'apr_1', field: 'write' }
  const write = (id: string, as = agentOf(ada)) =>
    run(subgraph.url, `mutation { write(id: "${id}") { id } }`, { as, approval })

  it('happens once, and is answered alike each time', async () => {
    const agent = agentOf(human('gina'))
    const first = await write('g1', agent)
    expect(first.json.data).toEqual({ write: { id: 'g1' } })
    expect(await write('g1', agent)).toEqual(first)
    expect((await write('g1', agentOf(human('gina')))).json.errors?.[0]?.extensions.code).toBe('INTERNAL')
  })

  it('is tried again where nothing of it took effect', async () => {
    const irma = human('irma')
    const agent = agentOf(irma)
    const unapproved = await run(subgraph.url, 'mutation { write(id: "r1") { id } }', { as: agent })
    expect(unapproved.json.errors?.[0]?.extensions.code).toBe('APPROVAL_REQUIRED')
    expect((await write('r1', agent)).json.data).toEqual({ write: { id: 'r1' } })

    const late = agentOf(irma)
    const fails = (field: string) =>
      run(subgraph.url, `mutation { ${field}(id: "r2") { id } }`, { as: late, approval: { id: 'apr_1', field } })
    const failed = await fails('writeAndFail')
    expect(failed.json.errors?.[0]?.extensions.code).toBe('BAD_USER_INPUT')
    expect(await fails('writeAndFail')).toEqual(failed)
    expect((await write('r2', late)).json.data).toEqual({ write: { id: 'r2' } })
    expect(await notesOf(irma)).toEqual(['r1', 'r2'])
  })

  it('is not tried again where some of it took effect, and is answered as it was', async () => {
    const agent = agentOf(human('jana'))
    const commit = () => {
      const approval = { id: 'apr_1', field: 'commitAndFail' }
      return run(subgraph.url, 'mutation { commitAndFail(id: "s1") { id } }', { as: agent, approval })
    }
    const first = await commit()
    expect(first.json).toMatchObject({ data: { commitAndFail: null }, errors: [{ extensions: { code: 'INTERNAL' } }] })
    expect(await commit()).toEqual(first)
    expect(await notesOf(human('jana'))).toEqual(['s1'])
  })

  it('is one request and one user', async () => {
    const agent = agentOf(human('hugo'), 'call_hugo')
    await write('h1', agent)
    expect((await write('h2', agent)).json).toMatchObject({
      data: null,
      errors: [{ extensions: { code: 'CONTEXT_WRONG_REQUEST' } }],
    })
    expect((await write('h1', agentOf(ada, 'call_hugo'))).json).toMatchObject({
      data: null,
      errors: [{ extensions: { code: 'CONTEXT_WRONG_REQUEST' } }],
    })
    expect(await notesOf(human('hugo'))).toEqual(['h1'])
  })
})

it("is nobody's without a user", async () => {
  const answer = await run(subgraph.url, 'mutation { write(id: "x") { id } }', {
    as: principal('anonymous', { tenant: null, client: null }),
  })
  expect(answer).toMatchObject({ status: 401, json: { errors: [{ extensions: { code: 'UNAUTHENTICATED' } }] } })
})

describe('an error', () => {
  it('is masked unless it is meant to be seen, and is in the log with its transaction', async () => {
    const txn = '01980f6e-0000-7abc-8def-0123456789ab'
    await run(subgraph.url, 'mutation { write(id: "i1") { id } }', { as: human('ines') })
    const answer = await run(subgraph.url, '{ notes { id broken } }', { as: human('ines'), txn })
    expect(answer.json).toMatchObject({
      data: { notes: [{ id: 'i1', broken: null }] },
      errors: [
        {
          message: 'Something went wrong on our side.',
          path: ['notes', 0, 'broken'],
          extensions: { code: 'INTERNAL' },
        },
      ],
    })
    expect(answer.text).not.toMatch(/secrets|stack|resolvers/)
    expect(log.lines.at(-1)).toMatchObject({
      level: 'error',
      txn,
      path: ['notes', 0, 'broken'],
      err: { message: 'select password from secrets' },
    })
  })

  it('that is ours keeps its code and message, and its cause in the log', async () => {
    const answer = await run(subgraph.url, 'mutation { writeAndFail(id: "j1") { id } }')
    expect(answer.json.errors).toMatchObject([{ message: 'Not like this.', extensions: { code: 'BAD_USER_INPUT' } }])
    expect(answer.text).not.toContain('a reason')
    expect(log.lines.at(-1)).toMatchObject({ code: 'BAD_USER_INPUT', reason: 'a reason for the log' })
  })

  it('of PostgreSQL is masked', async () => {
    const answer = await run(subgraph.url, 'mutation { a: write(id: "k1") { id } b: write(id: "k1") { id } }')
    expect(answer.json.errors).toMatchObject([
      { message: 'Something went wrong on our side.', path: ['b'], extensions: { code: 'INTERNAL' } },
    ])
    expect(answer.text).not.toMatch(/duplicate|note_pkey/)
  })

  it('in the request is told', async () => {
    const answer = await run(subgraph.url, 'mutation($id: ID!) { write(id: $id) { id } }', { variables: {} })
    expect(answer).toMatchObject({ status: 400, json: { errors: [{ extensions: { code: 'BAD_USER_INPUT' } }] } })
    expect(answer.json.errors?.[0]?.message).toContain('"$id"')
  })
})

describe('the one connection of a subgraph', () => {
  const alone = (limits = {}) => start(limits, 1)
  /** Within its time, which on a busy machine may be over the first time. */
  async function works(url: string) {
    const me = async () => (await run(url, '{ me }')).json.data
    await expect.poll(me, { timeout: 5000 }).toEqual({ me: 'usr_ada usr_ada' })
  }

  it('is free again when the caller of a query has gone, while its resolver still waits', async () => {
    const { url } = await alone()
    const caller = new AbortController()
    const answer = run(url, '{ slow }', { signal: caller.signal })
    await arrived.promise
    caller.abort()
    await expect(answer).rejects.toThrow('aborted')
    await works(url)
    gate.resolve()
    await works(url)
  })

  it('is free again when a query takes too long, and its answer says so', async () => {
    const { url } = await alone({ answerMs: 150 })
    expect(await run(url, '{ slow }')).toMatchObject({
      status: 503,
      json: { data: null, errors: [{ extensions: { code: 'UNAVAILABLE' } }] },
    })
    await works(url)
    gate.resolve()
    await works(url)
  })

  it('is waited for by so many and for so long; whoever comes then is told to come again, and nothing was done', async () => {
    const { url } = await alone()
    const nora = human('nora')
    const write = (id: string) => run(url, `mutation { write(id: "${id}") { id } }`, { as: nora })
    const slow = run(url, '{ slow }')
    await arrived.promise
    const waiting = write('n1')
    const refused = async () =>
      (await run(url, '{ me }', { signal: AbortSignal.timeout(50) }).catch(() => null))?.status
    await expect.poll(refused, { timeout: 5000 }).toBe(503)
    expect(await write('n2')).toMatchObject({
      status: 503,
      json: { errors: [{ extensions: { code: 'UNAVAILABLE', retryAfter: 1 } }] },
    })
    gate.resolve()
    expect(await slow).toMatchObject({ json: { data: { slow: 'done' } } })
    expect(await waiting).toMatchObject({ status: 200, json: { data: { write: { id: 'n1' } } } })
    await works(url)
    expect(await notesOf(nora)).toEqual(['n1'])
  })

  it('is free again when a mutation takes too long, of which nothing is left, nor comes after', async () => {
    const { url } = await alone({ answerMs: 150 })
    const lena = human('lena')
    expect(await run(url, 'mutation { writeSlowly(id: "l1") { id } }', { as: lena })).toMatchObject({
      status: 503,
      json: { data: null },
    })
    await works(url)
    gate.resolve()
    await vi.waitFor(() => expect(afterGate).rejects.toThrow('cannot be answered now'))
    await works(url)
    expect(await notesOf(lena)).toEqual([])
  })

  it('stays with a mutation whose caller has gone, until it is done', async () => {
    const { url } = await alone()
    const mona = human('mona')
    const caller = new AbortController()
    const answer = run(url, 'mutation { writeSlowly(id: "m1") { id } }', { as: mona, signal: caller.signal })
    await arrived.promise
    caller.abort()
    await expect(answer).rejects.toThrow('aborted')
    gate.resolve()
    await vi.waitFor(async () => expect(await notesOf(mona)).toEqual(['m1', 'm1-late']))
    await works(url)
  })
})

describe('close', () => {
  it('lets what is under way end, takes nothing new, and gives up after its time', async () => {
    const patient = await start()
    const answer = run(patient.url, '{ slow }')
    await arrived.promise
    const closed = patient.close()
    expect(patient.close()).toBe(closed)
    const refusal = () =>
      run(patient.url, '{ me }').then(
        () => 'none',
        (error: unknown) => (error as { code?: string }).code,
      )
    await expect.poll(refusal).toBe('ECONNREFUSED')
    gate.resolve()
    expect(await answer).toMatchObject({ status: 200, json: { data: { slow: 'done' } } })
    await closed
  })

  it('does not wait for ever', async () => {
    const hasty = await start({ drainMs: 100 })
    const answer = run(hasty.url, '{ slow }')
    await arrived.promise
    const closed = hasty.close()
    await expect(answer).rejects.toThrow('socket hang up')
    await closed
  })
})

describe('createSubgraph', () => {
  it('wants a database where there are mutations', () => {
    const make = (definitions: string) => () =>
      createSubgraph({ name: receiver, typeDefs: links + definitions, resolvers: {}, contextKeys })
    expect(make('type Query { a: String } type Mutation { b: String }')).toThrow('has mutations but no db')
    expect(make('type Query { a: String }')).not.toThrow()
  })
})
