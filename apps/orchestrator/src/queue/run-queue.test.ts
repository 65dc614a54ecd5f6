import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { seedRun, startChat } from '../chat-fixture.ts'
import { say, scripted } from '../scripted-model-fixture.ts'
import { queueSchema } from './queue-migration.ts'
import { createReplicas } from './replica-fixture.ts'

let chat: Awaited<ReturnType<typeof startChat>>
beforeAll(async () => {
  chat = await startChat(
    scripted(() => say('Continued.')),
    0,
  )
})
const replicas = createReplicas(() => chat.env)
afterEach(replicas.killAll)
afterAll(() => chat[Symbol.asyncDispose]())

const enqueue = (run: string) =>
  chat.admin.query(`select ${queueSchema}.add_job('run', $1::json)`, [
    JSON.stringify({ run, subject: 'usr_ada', tenant: 'acme' }),
  ])
const statusOf = async (run: string) =>
  (await chat.admin.query('select status from run where id = $1', [run])).rows[0].status as string

test('a run whose process is killed is continued by another replica within 10 s', async () => {
  const run = await seedRun(chat.admin, 'usr_ada', 'go')
  const doomed = await replicas.start()
  await enqueue(run)
  await doomed.asked
  await chat.start()
  expect(await statusOf(run)).toBe('RUNNING')
  await doomed.end('SIGKILL')
  await expect.poll(() => statusOf(run), { timeout: 10_000, interval: 20 }).toBe('COMPLETED')
}, 40_000)

test('a process that is told to stop hands its runs over at once and exits with 0', async () => {
  const run = await seedRun(chat.admin, 'usr_ada', 'go')
  await chat.replicas.pop()?.close()
  const leaving = await replicas.start()
  await enqueue(run)
  await leaving.asked
  await chat.start()
  expect(await leaving.end('SIGTERM')).toBe(0)
  await expect.poll(() => statusOf(run), { timeout: 5000, interval: 20 }).toBe('COMPLETED')
}, 40_000)

test('a run whose jobs keep dying is given up, not tried for ever', async () => {
  const run = await seedRun(chat.admin, 'usr_ada', 'go')
  // As the queue has it after six processes died of it.
  await chat.admin.query(
    'begin; lock table orchestrator_queue._private_jobs in exclusive mode; ' +
      `select ${queueSchema}.add_job('run', '${JSON.stringify({ run, subject: 'usr_ada', tenant: 'acme' })}'::json); ` +
      'update orchestrator_queue._private_jobs set attempts = 6; commit',
  )
  await expect.poll(() => statusOf(run)).toBe('FAILED')
  expect((await chat.admin.query('select error_code from run where id = $1', [run])).rows).toEqual([
    { error_code: 'INTERNAL' },
  ])
})

test('the role works with jobs and changes nothing else', async () => {
  const { Client } = (await import('pg')).default
  const client = new Client({ connectionString: chat.env.DATABASE_URL })
  await client.connect()
  try {
    await expect(client.query(`select count(*) from ${queueSchema}._private_jobs`)).resolves.toBeDefined()
    await expect(client.query(`drop table ${queueSchema}._private_jobs`)).rejects.toThrow(/must be owner/)
    await expect(client.query(`create table ${queueSchema}.x ()`)).rejects.toThrow(/permission denied/)
    await expect(client.query(`insert into ${queueSchema}.migrations (id) values (99)`)).rejects.toThrow(
      /permission denied/,
    )
  } finally {
    await client.end()
  }
})

test('a turn starts when it is announced, not when a poll finds it', async () => {
  const waits: number[] = []
  for (let turn = 0; turn < 20; turn++) {
    const { data } = await chat.as('ada').send({ text: `turn ${turn}` })
    const { rows } = await chat.admin.query(
      'select extract(epoch from started_at - created_at) * 1000 as wait from run where id = $1',
      [data.chatSend.run.id],
    )
    waits.push(Number(rows[0].wait))
  }
  // A poll every second would make it 500 ms; docs/decisions/0002-run-queue.md has what it is on a quiet machine.
  expect(waits.toSorted((a, b) => a - b)[10]).toBeLessThanOrEqual(200)
})
