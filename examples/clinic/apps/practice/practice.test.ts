import { authoritySchema } from '@behalf/authority'
import { attackSubgraph, testApproval, testDelegation, testSubgraph } from '@behalf/testing'
import { expect, test } from 'vitest'
import type { Database } from './database.ts'
import { practice } from './subgraph.ts'

const options = {
  migrations: new URL('./migrations', import.meta.url),
  beside: [authoritySchema],
}
const book = 'mutation { bookAppointment(at: "2026-03-01T09:30:00.000Z", reason: "a cough") { reason } }'
const record = 'query ($id: ID!) { patient(id: $id) { appointments { reason } } }'
const scopes = ['appointments:read', 'appointments:write']
const northside = { tenant: 'northside', scopes }

test('an agent books when its patient approves, and their own doctor sees it', async () => {
  await using app = await testSubgraph<Database>(practice, options)
  await app.admin.insertInto('patients').values({ id: 'usr_ines', practice: 'northside', name: 'Ines' }).execute()

  const agent = app.as('ines', northside).agent({ tool: 'book_appointment' })
  expect(await agent.run(book)).toMatchObject({ errors: [{ extensions: { code: 'APPROVAL_REQUIRED' } }] })
  expect(await agent.approved('bookAppointment').run(book)).toMatchObject({ errors: [] })

  const doctorOf = (tenant: string) => app.as('vera', { tenant, scopes: [...scopes, 'records:read'] })
  const seenBy = async (caller: ReturnType<typeof doctorOf>) => (await caller.run(record, { id: 'usr_ines' })).data
  expect(await seenBy(doctorOf('northside'))).toEqual({ patient: { appointments: [{ reason: 'a cough' }] } })
  expect(await seenBy(doctorOf('harbour'))).toEqual({ patient: null })
  expect(await seenBy(doctorOf('northside').agent({ tool: 'look_up' }))).toEqual({ patient: null })
})

attackSubgraph<Database>(practice, {
  ...options,
  mine: 'ines',
  theirs: 'omar',
  mutation: { query: book },
  async prepare(app, { name, subject, tenant }) {
    const { admin } = app
    await testApproval(app, await testDelegation(app, subject), { summary: `Asks ${name}` })
    await admin.insertInto('patients').values({ id: subject, practice: tenant, name }).execute()
    await admin
      .insertInto('appointments')
      .values({ patient: subject, practice: tenant, at: new Date(0), reason: `of ${name}` })
      .execute()
  },
})
