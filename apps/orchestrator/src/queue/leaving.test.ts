import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { seedRun, startChat } from '../chat-fixture.ts'
import { say, scripted } from '../scripted-model-fixture.ts'
import { queueSchema } from './queue-migration.ts'
import { createReplicas, openFrontDoor } from './replica-fixture.ts'

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

/** More than it takes on a busy machine, and less than the library waits until it asks again. */
const soon = 2500

/** A replica with another way to the database than everybody else. */
async function start() {
  const door = await openFrontDoor(chat.env.DATABASE_URL)
  return { door, replica: await replicas.start({ DATABASE_URL: door.url }) }
}

test.each(['idle', 'with a run under way'])(
  'a process whose database is going does not wait for it: %s',
  async (what) => {
    const { door, replica } = await start()
    await replica.ready
    let run: string | undefined
    if (what !== 'idle') {
      run = await seedRun(chat.admin, 'usr_ada', 'go')
      await chat.admin.query(`select ${queueSchema}.add_job('run', $1::json)`, [
        JSON.stringify({ run, subject: 'usr_ada', tenant: 'acme' }),
      ])
      await replica.asked
    }
    door.shutDown()
    // Each worker has asked, and is told to ask again later.
    await expect.poll(() => door.refused(), { timeout: 10_000, interval: 10 }).toBeGreaterThan(7)
    const told = performance.now()
    expect(await replica.end('SIGTERM')).toBe(0)
    expect(performance.now() - told).toBeLessThan(soon)
    await door.close()
    if (run === undefined) return
    // Nothing was handed over, and nothing is lost.
    await chat.start()
    await expect
      .poll(async () => (await chat.admin.query('select status from run where id = $1', [run])).rows[0].status, {
        timeout: 10_000,
      })
      .toBe('COMPLETED')
  },
  40_000,
)

test('nor where nobody is at the other end of its connections any more', async () => {
  const { door, replica } = await start()
  await replica.ready
  door.vanish()
  const told = performance.now()
  expect(await replica.end('SIGTERM')).toBe(0)
  expect(performance.now() - told).toBeLessThan(4000)
  await door.close()
}, 40_000)
