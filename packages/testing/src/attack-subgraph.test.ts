import { createServer } from 'node:http'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { attacks, keepPrivate, type Operation, type Target, withstand } from './attacks.ts'
import { createNotes, notes, noteMigrations, type NoteTables } from './fixtures.ts'
import { attackSubgraph, testSubgraph } from './index.ts'
import { createTestCaller } from './test-caller.ts'
import { withoutRowSecurity } from './without-row-security.ts'

const migrations = noteMigrations()
afterAll(() => rm(migrations, { recursive: true }))

attackSubgraph<NoteTables>({
  name: 'notes',
  create: notes,
  migrations,
  mine: 'ada',
  theirs: 'ben',
  claims: { scopes: ['notes:read'] },
  prepare: ({ admin }) => admin.insertInto('note').values({ id: 'n1', owner: 'usr_ada', text: 'secret' }).execute(),
  query: { query: '{ notes { id text } }', shows: 'secret' },
  mutation: { query: 'mutation { setNote(id: "n2", text: "again") { id } }' },
})

describe('the attack kit', () => {
  let answer = '{"data":{"notes":["secret"]}}'
  /** Answers everybody alike. */
  const server = createServer((_request, response) =>
    response.setHeader('Content-Type', 'application/json').end(answer),
  )
  const mutation: Operation = { query: 'mutation { setNote(id: "n2", text: "again") { id } }' }
  const caller = (name: string) =>
    createTestCaller({
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`,
      receiver: 'notes',
      rootKey: Buffer.alloc(32, 1).toString('base64url'),
      trustDomain: 'behalf.test',
      name,
      claims: {},
    })
  const target = (): Target => ({
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`,
    caller: caller('ada'),
    operations: [mutation],
  })
  beforeAll(() => once(server.listen(0, '127.0.0.1'), 'listening'))
  afterAll(() => server.close())

  it.each(attacks)('notices a subgraph that falls for $name', async (attack) => {
    answer = '{"data":{}}'
    await expect(withstand(target(), attack)).rejects.toThrow(`should be refused with 401 ${attack.code}, and got 200`)
  })

  it.each(attacks)('does not take a subgraph that refuses everything for one that withstands $name', async (attack) => {
    answer = `{"errors":[{"message":"no","extensions":{"code":"${attack.code}"}}]}`
    await expect(withstand(target(), attack)).rejects.toThrow('The request itself is not answered')
  })

  it('notices rows that are shown to others, and rows that are shown to nobody', async () => {
    const operation = { query: '{ notes }', shows: 'secret' }
    answer = '{"data":{"notes":["secret"]}}'
    await expect(keepPrivate(caller('ada'), [caller('ben')], operation)).rejects.toThrow('usr_ben is shown secret')
    await keepPrivate(caller('ada'), [], operation)
    answer = '{"data":{"notes":[]}}'
    await expect(keepPrivate(caller('ada'), [], operation)).rejects.toThrow('usr_ada should be shown secret')
  })

  it('[P7] notices a subgraph that leaves it to the database whose rows it shows', async () => {
    const query = '{ notes { text } }'
    const shownToBen = async (whose: string) => {
      await using app = await testSubgraph<NoteTables>({ name: 'notes', create: createNotes(whose), migrations })
      await app.admin.insertInto('note').values({ id: 'n1', owner: 'usr_ada', text: 'secret' }).execute()
      const ask = async () => (await app.as('ben', { scopes: ['notes:read'] }).run(query)).data
      return [await ask(), await withoutRowSecurity(app, ask), await ask()]
    }
    expect(await shownToBen('@public')).toEqual([{ notes: [] }, { notes: [{ text: 'secret' }] }, { notes: [] }])
    expect(await shownToBen('@owner(field: "owner")')).toEqual([{ notes: [] }, { notes: [null] }, { notes: [] }])
  })
})
