import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createNotes, noteMigrations, type NoteTables, prepareNotes } from './fixtures/notes.ts'
import type { Fault } from './fixtures/faults.ts'
import { sloppyServer } from './fixtures/sloppy-http.ts'
import { attackSubgraph } from './index.ts'
import { aimAt } from './subgraph-attacks/aim-at.ts'
import type { Target } from './subgraph-attacks/attack.ts'
import { subgraphAttacks } from './subgraph-attacks/subgraph-attacks.ts'
import { createTestCaller } from './test-caller.ts'
import { describeSubgraph, type TestConfig, testSubgraph, type TestSubgraph } from './test-subgraph.ts'

const migrations = noteMigrations()
const owners = { mine: 'ada', theirs: 'ben' }
const aim = { ...owners, prepare: prepareNotes }

attackSubgraph<NoteTables>(createNotes(), { migrations, ...aim })

/** What has to be left out for an attack to succeed, and what the kit then says. */
const successes: Readonly<Record<string, readonly [Fault[], RegExp]>> = {
  'a request without a context token': [['presence'], /and got 200/],
  'a request with two context tokens': [['single'], /and got 200/],
  'two context tokens in one header': [['comma'], /and got 200/],
  'a context token in another header': [['placement'], /and got 200/],
  'white space in the name of the header': [['names'], /and got 200/],
  'a forged context token': [['signature'], /and got 200/],
  'a context token whose claims were changed': [['signature'], /and got 200/],
  'a context token without a signature': [['none'], /and got 200/],
  'another algorithm': [['algorithm'], /and got 200/],
  "another receiver's key": [['signature'], /and got 200/],
  'a key that everybody knows': [['weakKeys'], /and got 200/],
  'a header with more in it': [['header'], /and got 200/],
  'another type of token': [['type'], /and got 200/],
  'another spelling of a context token': [['spelling'], /and got 200/],
  'a context token with something added': [['shape'], /and got 200/],
  'an oversized context token': [['tokenSize'], /and got 200/],
  'an expired context token': [['expiry'], /and got 200/],
  'a context token of the future': [['future'], /and got 200/],
  'a context token that lives too long': [['lifetime'], /and got 200/],
  'a context token without an end': [['end'], /and got 200/],
  'a context token for another receiver': [['receiver'], /and got 200/],
  'a context token of another trust domain': [['domain'], /and got 200/],
  'an altered body': [['body'], /and got 200/],
  'a query string': [['search'], /and got 200/],
  'another method': [['method'], /and got 200/],
  'a compressed body': [['encoding'], /and got 200/],
  'a body in chunks': [['chunks'], /and got 200/],
  'a body with two lengths': [['lengths'], /and got 200/],
  'an oversized body': [['bodySize'], /and got 200/],
  'another type of operation': [['operation'], /and got 200/],
  'the same mutation again': [['replay'], /and got 200/],
  'a caller without a credential': [['users'], /should be refused with UNAUTHENTICATED to nobody/],
  'a scope removed': [['scopes'], /Query.notes should be refused .* to a caller with no more than/],
  'an agent where only people may be': [['agents'], /User.tip should be refused with AGENT_DENIED to an agent/],
  'an agent without approval': [['approval'], /Mutation.setNote should be refused with APPROVAL_REQUIRED to an agent/],
  'an unbound subject': [['subjects'], /Query.notesOf should be refused .* to a person/],
  'a way around row-level security': [['tables'], /notes.draft/],
  '`_entities` of others': [['owners', 'tables'], /is shown the Note of usr_ada/],
  '`_entities` of others, where the database would show them': [['owners'], /is shown the Note of usr_ada/],
  'foreign rows': [['owners', 'tables'], /usr_ben of acme is shown what is not theirs: .*secret of ada/],
  'foreign rows, where the database would show them': [['owners'], /shown what is not theirs: .*secret of ada/],
  'connections that tell of foreign rows': [['counts'], /"totalCount":2.* in place of .*"totalCount":1/],
}

describe('the attack kit', () => {
  const { schema } = describeSubgraph(createNotes())
  let app: TestSubgraph<NoteTables>
  let config: TestConfig
  beforeAll(async () => {
    const create = (given: TestConfig) => createNotes()((config = given))
    app = await testSubgraph<NoteTables>(create, { migrations })
  })
  afterAll(() => app.close())

  const callerAt = (url: string, name: string | null, claims = {}) => {
    const { rootKey } = app
    return createTestCaller({ url, receiver: 'notes', rootKey, trustDomain: config.trustDomain, name, claims })
  }

  /** Runs `work` against a subgraph with faults, on the same database. */
  async function withFaults(faults: readonly Fault[], work: (target: Target) => Promise<void>): Promise<void> {
    await sql`truncate note, room`.execute(app.admin)
    await sql`alter table note ${sql.raw(faults.includes('tables') ? 'disable' : 'enable')} row level security`.execute(
      app.admin,
    )
    if (faults.includes('tables')) await sql`create table draft ()`.execute(app.admin)
    const broken = await createNotes(...faults)(config).listen({ port: 0 })
    const as = (name: string, claims = {}) => callerAt(broken.url, name, claims)
    try {
      const there = { ...app, url: broken.url, as, anonymous: () => callerAt(broken.url, null) }
      await work(await aimAt(there, schema, aim))
    } finally {
      await broken.close()
      await sql`drop table if exists draft`.execute(app.admin)
    }
  }

  it('has a broken subgraph for every attack', () => {
    expect(subgraphAttacks.map(({ name }) => name)).toEqual(Object.keys(successes))
  })

  it.each(subgraphAttacks)('notices a subgraph that falls for $name', async (attack) => {
    const [faults, message] = successes[attack.name] ?? [[], /^$/]
    await withFaults(faults, (target) => expect(attack.withstand(target)).rejects.toThrow(message))
  })

  it.each(subgraphAttacks.filter(({ name }) => name !== 'a way around row-level security'))(
    'does not take a subgraph that refuses everything for one that withstands $name',
    async ({ code, withstand }) => {
      const body = JSON.stringify({ errors: [{ message: 'no', extensions: { code: code ?? 'INTERNAL' } }] })
      const refusing = await sloppyServer(() => Promise.resolve({ status: 200, body }))
      const as = () => callerAt(refusing.url, 'ada')
      try {
        const target = await aimAt({ ...app, url: refusing.url, as, anonymous: as }, schema, owners)
        await expect(withstand(target)).rejects.toThrow(
          /is not answered|to those who may|is shown no|No (key|mutation)/,
        )
      } finally {
        await refusing.close()
      }
    },
  )

  it('takes a subgraph that refuses nothing it should answer for one that withstands', async () => {
    await withFaults(['front'], async (target) => {
      for (const { withstand } of subgraphAttacks) await expect(withstand(target)).resolves.toBeUndefined()
    })
  }, 60_000)
})
