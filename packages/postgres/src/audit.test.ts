import { randomUUID } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { anonymousSubject, type Identity } from '@behalf/identity'
import { sql } from 'kysely'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { auditEvent } from '../fixtures/audit-events.ts'
import { ada, ben, caller, openShop, type OpenShop } from '../fixtures/shop.ts'
import { checkCatalogue, openAudit, provision, writeAuditEvent } from './index.ts'
import { familySql } from './read-audit.ts'

let shop: OpenShop
let asShop: pg.Client
beforeAll(async () => {
  shop = await openShop()
  asShop = new pg.Client(shop.url)
  await asShop.connect()
})
afterAll(async () => {
  await asShop.end()
  await shop[Symbol.asyncDispose]()
})
beforeEach(() => shop.admin.query('truncate behalf.audit_event'))

const stored = async () => (await shop.admin.query('select * from behalf.audit_event order by id')).rows
const insert = (columns: string, values: string) =>
  asShop.query(`insert into behalf.audit_event (${columns}) values (${values})`)

describe('[P14] an event', () => {
  it('is stored with everything, under the name of the role that wrote it', async () => {
    const event = auditEvent({
      parent: randomUUID(),
      actor: 'assistant',
      what: 'tool.called',
      target: 'get_balance',
      rule: '@tool',
      outcome: 'TOOL_FAILED',
      durationMs: 12.5,
      detail: { hops: [{ to: 'balance', facts: { tier: 'premium' } }] },
    })
    shop.db.audit.record(event)
    await shop.db.audit.flush()
    const { time, durationMs, ...rest } = event
    expect(await stored()).toEqual([
      { ...rest, id: expect.any(String), source: shop.role, at: time, duration_ms: durationMs },
    ])
  })

  it('is written in the transaction of what it is about, and undone with it', async () => {
    const write = async (end: 'commit' | 'rollback') => {
      const bound = shop.db.bind(ada, 'write')
      await writeAuditEvent(bound.db, auditEvent({ what: 'approval.used', target: end }))
      await bound[end]()
    }
    await write('commit')
    await write('rollback')
    expect(await stored()).toMatchObject([{ what: 'approval.used', target: 'commit' }])
  })
})

describe('[P14] a transaction', () => {
  it('is read with all that it led to, in order, also where parents go in circles', async () => {
    const [message, call, other] = [randomUUID(), randomUUID(), randomUUID()]
    const time = (ms: number) => new Date(1_800_000_000_000 + ms)
    const events = [
      auditEvent({ txn: message, target: 'message', time: time(0) }),
      auditEvent({ txn: call, parent: message, target: 'call', time: time(1) }),
      auditEvent({ txn: other, target: 'another message', time: time(2) }),
      auditEvent({ txn: null, parent: message, target: 'end of its delegation', time: time(3) }),
      auditEvent({ txn: message, parent: call, target: 'circle', time: time(4) }),
      auditEvent({ txn: null, target: 'counted', time: time(5) }),
    ]
    for (const event of events.toReversed()) shop.db.audit.record(event)
    await shop.db.audit.flush()
    await using audit = await openAudit(shop.adminUrl)
    const read = await audit.read(message)
    expect(read.map(({ target }) => target)).toEqual(['message', 'call', 'end of its delegation', 'circle'])
    expect(read[1]).toEqual({ ...events[1], id: expect.any(String), source: shop.role })
    expect((await audit.read(other)).map(({ target }) => target)).toEqual(['another message'])
    expect(await audit.read(randomUUID())).toEqual([])
    await using app = await openAudit(shop.url)
    await expect(app.read(message)).rejects.toMatchObject({ code: '42501' })
  })
})

it('[P14] a transaction is found by indexes, however long the log', async () => {
  await shop.admin.query(
    `insert into behalf.audit_event (txn, parent, at, what, outcome)
     select case when n % 10 <> 0 then md5((n / 10)::text)::uuid end, case when n % 20 < 10 then md5((n / 10 + 1)::text)::uuid end,
       now(), 'request', 'OK' from generate_series(1, 50000) n`,
  )
  await shop.admin.query('analyze behalf.audit_event')
  const { rows } = await shop.admin.query(`explain (analyze, format json, timing off) ${familySql}`, [
    // Led to by the family after it, whose events have no transaction in part.
    (await shop.admin.query(`select md5('101')::uuid as txn`)).rows[0].txn,
  ])
  const scans = scansOf(rows[0]['QUERY PLAN'][0].Plan)
  expect(scans.length).toBeGreaterThan(0)
  for (const { type, read } of scans) {
    expect(type).toMatch(/Index|Bitmap/)
    expect(read).toBeLessThan(100)
  }
})

interface Plan {
  readonly 'Node Type': string
  readonly 'Relation Name'?: string
  readonly 'Actual Rows': number
  readonly 'Actual Loops': number
  readonly 'Rows Removed by Filter'?: number
  readonly Plans?: readonly Plan[]
}

/** How the log is looked at, and how many rows are. */
function scansOf(plan: Plan): { readonly type: string; readonly read: number }[] {
  const { 'Node Type': type, 'Actual Rows': rows, 'Actual Loops': loops, 'Rows Removed by Filter': removed = 0 } = plan
  return [
    ...(plan['Relation Name'] === 'audit_event' ? [{ type, read: (rows + removed) * loops }] : []),
    ...(plan.Plans ?? []).flatMap(scansOf),
  ]
}

it('[P14] an app hides nothing of a transaction by writing more of it than is read', async () => {
  const txn = randomUUID()
  const events = (source: string, count: number, at: string) =>
    shop.admin.query(
      `insert into behalf.audit_event (source, txn, at, what, outcome)
       select $1, $2, $3, 'request', 'OK' from generate_series(1, $4)`,
      [source, txn, at, count],
    )
  await events(shop.role, 10_500, '2001-01-01')
  await events('gateway', 2, '2026-01-01')
  await using audit = await openAudit(shop.adminUrl)
  const read = await audit.read(txn)
  expect(read).toHaveLength(10_000)
  expect(read.slice(-3).map(({ source }) => source)).toEqual([shop.role, 'gateway', 'gateway'])
})

describe('[P14] the role of an app', () => {
  const columns = 'at, what, outcome'
  const values = `now(), 'request', 'OK'`

  it('adds events', async () => {
    await insert(columns, values)
    expect(await stored()).toMatchObject([{ source: shop.role }])
  })

  it.each([
    ['choose its name', () => insert(`source, ${columns}`, `'gateway', ${values}`)],
    [
      'choose an id, with which it could keep others from writing',
      () =>
        asShop.query(`insert into behalf.audit_event (id, ${columns}) overriding system value values (7, ${values})`),
    ],
    ['read', () => asShop.query('select what from behalf.audit_event')],
    [
      'read what it wrote',
      () => asShop.query(`insert into behalf.audit_event (${columns}) values (${values}) returning id`),
    ],
    ['change', () => asShop.query(`update behalf.audit_event set outcome = 'OK'`)],
    ['delete', () => asShop.query('delete from behalf.audit_event')],
    ['empty the table', () => asShop.query('truncate behalf.audit_event')],
    ['let itself read', () => asShop.query(`select behalf.show_audit_to('${shop.role}')`)],
  ])('may not %s', async (_what, attempt) => {
    await insert(columns, values)
    await expect(attempt()).rejects.toMatchObject({ code: '42501' })
    expect(await stored()).toHaveLength(1)
  })

  it('is held to its name by a policy, where it could choose one', async () => {
    await shop.admin.query(`grant insert on behalf.audit_event to ${shop.role}`)
    try {
      await expect(insert(`source, ${columns}`, `'gateway', ${values}`)).rejects.toMatchObject({ code: '42501' })
      await insert(`source, ${columns}`, `'${shop.role}', ${values}`)
    } finally {
      // Takes away what was granted column by column, too.
      await shop.admin.query(`revoke insert on behalf.audit_event from ${shop.role}`)
      await shop.admin.query('select behalf.admit($1)', [shop.role])
    }
  })
})

describe('[P14] show_audit_to', () => {
  let reads: (who: Identity) => Promise<unknown[]>
  beforeAll(async () => {
    await shop.admin.query(`select behalf.show_audit_to('${shop.role}')`)
    reads = async (who) => {
      const bound = shop.db.bind(who, 'write')
      try {
        const { rows } = await sql<{ target: string }>`select target from behalf.audit_event`.execute(bound.db)
        return rows.map(({ target }) => target)
      } finally {
        await bound.rollback()
      }
    }
  })
  afterAll(() => shop.admin.query(`revoke select on behalf.audit_event from ${shop.role}`))
  beforeEach(async () => {
    for (const subject of ['usr_ada', 'usr_ben', null, anonymousSubject]) {
      shop.db.audit.record(auditEvent({ subject, target: `of ${subject}` }))
    }
    await shop.db.audit.flush()
  })

  it('shows a person what is about them', async () => {
    expect(await reads(ada)).toEqual(['of usr_ada'])
    expect(await reads(ben)).toEqual(['of usr_ben'])
  })

  it('shows an agent nothing, nor somebody without a name', async () => {
    expect(await reads(caller('usr_ada', { agent: 'assistant' }))).toEqual([])
    expect(await reads(caller(anonymousSubject))).toEqual([])
  })

  it('[P5] shows no details, in which is what other receivers were told', async () => {
    for (const columns of ['detail', 'tenant', '*']) {
      const statement = `select ${columns} from behalf.audit_event`
      await expect(asShop.query(statement)).rejects.toMatchObject({ code: '42501' })
    }
    const shown = 'id, source, txn, parent, at, subject, actor, what, target, rule, outcome, duration_ms'
    await expect(asShop.query(`select ${shown} from behalf.audit_event`)).resolves.toMatchObject({ rows: [] })
  })

  it('[P5] is a violation of the catalogue where it shows details', async () => {
    const check = () => checkCatalogue(shop.adminUrl, { schema: 'shop', role: shop.role })
    for (const columns of ['(detail)', '(tenant)', '']) {
      await shop.admin.query(`grant select ${columns} on behalf.audit_event to ${shop.role}`)
      expect(await check()).toEqual([expect.stringMatching(/may select behalf\.audit_event.*revoke that/)])
      await shop.admin.query(`select behalf.show_audit_to('${shop.role}')`)
      expect(await check()).toEqual([])
    }
  })

  it('lets nothing be changed or deleted', async () => {
    for (const statement of [
      `update behalf.audit_event set outcome = 'OK'`,
      'delete from behalf.audit_event',
      'truncate behalf.audit_event',
    ]) {
      await expect(asShop.query(statement)).rejects.toMatchObject({ code: '42501' })
    }
  })

  it('is no violation of the catalogue, and a policy that shows more is', async () => {
    const check = () => checkCatalogue(shop.adminUrl, { schema: 'shop', role: shop.role })
    expect(await check()).toEqual([])
    const shown = 'create policy behalf_audit_shown on behalf.audit_event for select using'
    const own = '(subject = (select behalf.sub()) and (select behalf.actor()) is null)'
    for (const [planted, violation] of [
      [
        'create policy all_of_it on behalf.audit_event for select using (true)',
        /all_of_it on behalf\.audit_event was not made/,
      ],
      [
        `drop policy behalf_audit_shown on behalf.audit_event; ${shown} (true)`,
        /behalf_audit_shown on behalf\.audit_event shows more/,
      ],
      [
        `drop policy behalf_audit_shown on behalf.audit_event; ${shown} (subject = (select behalf.sub()))`,
        /behalf_audit_shown on behalf\.audit_event shows more/,
      ],
      [`drop policy behalf_audit_shown on behalf.audit_event; ${shown} (${own} or true)`, /shows more/],
      ['alter table behalf.audit_event no force row level security', /Table behalf\.audit_event has no forced/],
    ] as const) {
      await shop.admin.query(planted)
      expect(await check()).toEqual([expect.stringMatching(violation)])
      await shop.admin.query(`drop policy if exists all_of_it on behalf.audit_event;
        drop policy behalf_audit_shown on behalf.audit_event; ${shown} ${own};
        alter table behalf.audit_event force row level security`)
    }
    expect(await check()).toEqual([])
  })
})

describe('[P14] docs/concepts/audit.md', () => {
  it('deletes what is older than it says, and nothing else, and only as the administrator', async () => {
    const page = await readFile(join(import.meta.dirname, '../../../docs/concepts/audit.md'), 'utf8')
    const [, statement = ''] = /```sql\n(.*?)```/s.exec(page) ?? []
    const daysAgo = (days: number) => new Date(Date.now() - days * 86_400_000)
    for (const days of [0, 89, 91, 400]) shop.db.audit.record(auditEvent({ target: `${days}`, time: daysAgo(days) }))
    await shop.db.audit.flush()
    await expect(asShop.query(statement)).rejects.toMatchObject({ code: '42501' })
    expect(await stored()).toHaveLength(4)
    await shop.admin.query(statement)
    expect((await stored()).map(({ target }) => target)).toEqual(['0', '89'])
  })
})

describe('[P14] an administrator who is no superuser', () => {
  it('reads and deletes events, although row-level security is forced', async () => {
    const [admin, app] = ['admin', 'app'].map((kind) => `${kind}_${randomUUID().slice(0, 8)}`)
    await shop.admin.query(`create role ${admin} login createrole password 'x'`)
    await shop.admin.query(`create database ${admin} owner ${admin}`)
    const url = new URL(shop.adminUrl)
    Object.assign(url, { username: admin, password: 'x', pathname: `/${admin}` })
    const migrations = await mkdtemp(join(tmpdir(), 'behalf-migrations-'))
    await provision({ adminUrl: url.href, name: app ?? '', password: 'y', migrations })
    await rm(migrations, { recursive: true })
    const client = new pg.Client(url.href)
    await client.connect()
    await client.query(`insert into behalf.audit_event (at, what, outcome) values (now(), 'request', 'OK')`)
    expect((await client.query('select what from behalf.audit_event')).rowCount).toBe(1)
    expect((await client.query('delete from behalf.audit_event')).rowCount).toBe(1)
    await client.end()
    await shop.admin.query(`drop database ${admin} with (force)`)
    await shop.admin.query(`drop role ${app}`)
    await shop.admin.query(`drop role ${admin}`)
  })
})
