import { postgres } from '@behalf/postgres'
import { testDatabase, type TestDatabase } from '@behalf/postgres/embedded'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createSubgraph } from './create-subgraph.ts'
import { contextKeys, links, receiver, run, trustDomain } from './fixtures.ts'
import type { Resolvers } from './resolvers.ts'

interface Tables {
  counter: { owner: string; value: number }
}
const typeDefs = `${links} type Query { value: Int } type Mutation { raise: Int fail: Int }`
let runs = 0
const resolvers: Resolvers<Tables> = {
  Query: {
    value: async (_parent, _args, { db }) =>
      (await db.selectFrom('counter').select('value').executeTakeFirstOrThrow()).value,
  },
  Mutation: {
    // Loses what others add at the same time, unless PostgreSQL says so.
    raise: async (_parent, _args, { db }) => {
      runs++
      const { value } = await db.selectFrom('counter').select('value').executeTakeFirstOrThrow()
      await db
        .updateTable('counter')
        .set({ value: value + 1 })
        .execute()
      return value + 1
    },
    fail: () => {
      runs++
      throw new Error('a fault of its own')
    },
  },
}

let database: TestDatabase
let url: string
beforeAll(async () => {
  database = await testDatabase()
  const folder = await mkdtemp(join(tmpdir(), 'behalf-serializable-'))
  const migration = `create table counter (owner text primary key, value integer not null default 0);
    select behalf.own('counter', 'owner'); insert into counter values ('usr_ada')`
  await writeFile(join(folder, '001.sql'), migration)
  url = await database.provision(receiver, folder)
  await rm(folder, { recursive: true })
})
afterAll(() => database.close())

it('[P13] runs a mutation again that others kept from being serialized, and no other', async () => {
  const subgraph = createSubgraph<Tables>({
    name: receiver,
    typeDefs,
    resolvers,
    contextKeys,
    trustDomain,
    db: postgres<Tables>({ url, isolation: 'serializable' }),
    logLevel: 'silent',
  })
  const listening = await subgraph.listen({ port: 0 })
  try {
    const ask = (query: string) => run(listening.url, query)
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask('mutation { raise }')))
    expect(answers.map(({ json }) => Number(json.data?.['raise'])).toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: 20 }, (_, index) => index + 1),
    )
    expect(runs).toBeGreaterThan(20)
    runs = 0
    await ask('mutation { fail }')
    expect(runs).toBe(1)
  } finally {
    await listening.close()
  }
})
