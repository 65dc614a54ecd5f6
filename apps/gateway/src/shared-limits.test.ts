import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { authorityMigrations, createAuthority } from '@behalf/authority'
import { createGateway } from '@behalf/gateway'
import { testDatabase, type TestDatabase } from '@behalf/postgres/embedded'
import { createLog } from '@behalf/process'
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest'
import { writePingGraph } from './ping-graph-fixture.ts'

let database: TestDatabase
let databaseUrl: string
let folder: string
const open: (() => Promise<void>)[] = []
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'behalf-app-gateway-'))
  database = await testDatabase()
  databaseUrl = await database.provision('gateway', authorityMigrations, 'authority')
})
afterEach(async () => {
  vi.useRealTimers()
  for (const close of open.splice(0)) await close()
})
afterAll(async () => {
  await database.close()
  await rm(folder, { recursive: true, force: true })
})

/** A replica with its own connections, as processes have them. */
async function replica() {
  // A machine under load must not look like a database that does not answer.
  const authority = createAuthority({ url: databaseUrl, limiterTimeoutMs: 20_000 })
  const gateway = await createGateway({
    graph: await writePingGraph(folder),
    rootKey: randomBytes(32).toString('base64url'),
    issuers: [],
    authority,
    registry: () => ({ catalogue: () => [], call: () => Promise.reject(new Error('no tools')) }),
    limits: { anonymous: { requests: 6 } },
    log: createLog('gateway', 'silent'),
  })
  const { url } = await gateway.listen({ port: 0, internalPort: 0 })
  open.push(async () => {
    await gateway.close()
    await authority.close()
  })
  return async () => {
    const answer = await fetch(`${url}/graphql?query={__typename}`)
    return { status: answer.status, retryAfter: answer.headers.get('retry-after') }
  }
}

it('[P15] two gateways count a caller as one does, until the minute is over', async () => {
  vi.useFakeTimers({ toFake: ['Date'] })
  const [one, two] = [await replica(), await replica()]
  const answers = []
  for (let index = 0; index < 10; index++) answers.push(await (index % 2 === 0 ? one : two)())
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 200, 429, 429, 429, 429])
  expect(answers.at(-1)?.retryAfter).toBe('60')
  vi.advanceTimersByTime(60_000)
  expect((await one()).status).toBe(200)
})
