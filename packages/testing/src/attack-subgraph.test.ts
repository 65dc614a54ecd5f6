import type { ErrorCode } from '@behalf/identity'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createNotes, noteMigrations, type NoteTables, prepareNotes } from './fixtures/notes.ts'
import { type Fault, isRuleFault } from './fixtures/faults.ts'
import { type LaxFront, laxFront } from './fixtures/lax-front.ts'
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
  'connections that tell of foreign rows': [['counts'], /"totalCount":\d.* in place of .*"totalCount":\d/],
}

describe('the attack kit', () => {
  const { schema } = describeSubgraph(createNotes())
  let app: TestSubgraph<NoteTables>
  let config: TestConfig
  let front: LaxFront
  /** The sound subgraph, or one with faults, behind `front`. */
  let target: Target
  beforeAll(async () => {
    const create = (given: TestConfig) => createNotes()((config = given))
    app = await testSubgraph<NoteTables>(create, { migrations })
    front = await laxFront(config)
    front.standBefore(app.url, [])
    target = await aimAt(seenAt(front.url), schema, aim)
  })
  afterAll(async () => {
    await front.close()
    await app.close()
  })

  /** The same subgraph at another address. */
  function seenAt(url: string): TestSubgraph<NoteTables> {
    const { rootKey } = app
    const caller = (name: string | null, claims = {}) =>
      createTestCaller({ url, receiver: 'notes', rootKey, trustDomain: config.trustDomain, name, claims })
    return { ...app, url, as: caller, anonymous: () => caller(null) }
  }

  /** Runs `work` while there are faults, on the same rows. */
  async function withFaults(faults: readonly Fault[], work: () => Promise<void>): Promise<void> {
    await using cleanup = new AsyncDisposableStack()
    cleanup.defer(() => front.standBefore(app.url, []))
    const ofSubgraph = faults.filter(isRuleFault)
    if (ofSubgraph.includes('tables')) {
      cleanup.defer(() => setTables('drop table draft', 'enable'))
      await setTables('create table draft ()', 'disable')
    }
    const broken = ofSubgraph.length === 0 ? app : await createNotes(...ofSubgraph)(config).listen({ port: 0 })
    if (broken !== app) cleanup.defer(() => broken.close())
    front.standBefore(broken.url, faults)
    await work()
  }

  async function setTables(statement: string, security: 'disable' | 'enable'): Promise<void> {
    await sql.raw(statement).execute(app.admin)
    await sql`alter table note ${sql.raw(security)} row level security`.execute(app.admin)
  }

  it('has a broken subgraph for every attack', () => {
    expect(subgraphAttacks.map(({ name }) => name)).toEqual(Object.keys(successes))
  })

  const ofRequests = subgraphAttacks.filter(({ name }) => !successes[name]?.[0].every(isRuleFault))
  it.each(ofRequests)('takes a front without a fault for one that withstands $name', async ({ withstand }) => {
    await expect(withstand(target)).resolves.toBeUndefined()
  })

  it.each(subgraphAttacks)('notices a subgraph that falls for $name', async ({ name, withstand }) => {
    const [faults, message] = successes[name] ?? [[], /./]
    await withFaults(faults, () => expect(withstand(target)).rejects.toThrow(message))
  })

  describe('does not take a subgraph that refuses everything for one that withstands', () => {
    let refusing: Awaited<ReturnType<typeof sloppyServer>>
    let refusal: ErrorCode = 'INTERNAL'
    let closed: Target
    beforeAll(async () => {
      const answer = () => JSON.stringify({ errors: [{ message: 'no', extensions: { code: refusal } }] })
      refusing = await sloppyServer(() => Promise.resolve({ status: 200, body: answer() }))
      closed = await aimAt(seenAt(refusing.url), schema, owners)
    })
    afterAll(() => refusing.close())

    it.each(subgraphAttacks.filter(({ name }) => name !== 'a way around row-level security'))(
      '$name',
      async ({ code, withstand }) => {
        refusal = code ?? 'INTERNAL'
        const message = /is not answered|to those who may|is shown no|No (key|mutation)/
        await expect(withstand(closed)).rejects.toThrow(message)
      },
    )
  })
})
