import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { cloneRepository } from '../support/clone.ts'
import { startSystem, type System } from '../support/system.ts'

vi.setConfig({ testTimeout: 180_000, hookTimeout: 300_000 })

let clone: string
let system: System
let token: string
const load = { answered: 0, failures: [] as unknown[], isOver: false, workers: [] as Promise<void>[] }

const slow = { timeout: 90_000, interval: 50 }
const read = (file: string) => readFile(join(clone, file), 'utf8')
async function write(file: string, text: string) {
  await mkdir(dirname(join(clone, file)), { recursive: true })
  await writeFile(join(clone, file), text)
}
async function edit(file: string, text: string, by: string) {
  const old = await read(file)
  expect(old).toContain(text)
  await write(file, old.replace(text, by))
}
/** Of the terminal, since the last time. */
let shown = 0
const until = (text: string | RegExp) =>
  vi.waitFor(
    () => {
      const printed = system.output().slice(shown)
      expect(printed).toMatch(text)
      return printed
    },
    { timeout: 90_000, interval: 20 },
  )
const inEffect = async (file: string) => {
  const printed = await until(new RegExp(`${file.replaceAll('.', '\\.')}.*: in effect \\(.* s\\)`))
  shown = system.output().length
  return printed
}

async function ask(query: string): Promise<Record<string, unknown>> {
  const { status, body } = await system.graphql(token, query)
  expect({ status, errors: body.errors }).toEqual({ status: 200, errors: undefined })
  return body.data ?? {}
}
const graphStatus = async () => {
  const response = await fetch(`${system.urls.internal}/readyz?verbose`)
  expect(response.status).toBe(200)
  return ((await response.json()) as { graph: { problem: { message: string; file: string; line: number } | null } })
    .graph
}

/** Queries through three subgraphs, and mutations, of which each either has an answer or failed. */
async function ceaselessly(query: string): Promise<void> {
  while (!load.isOver) {
    try {
      const { status, body } = await system.graphql(token, query)
      if (status !== 200 || body.errors) load.failures.push({ query, status, errors: body.errors })
      load.answered++
    } catch (error) {
      load.failures.push({ query, error: String(error), cause: String((error as Error).cause) })
    }
  }
}

beforeAll(async () => {
  clone = await cloneRepository()
  // The load is one user's.
  system = await startSystem({ root: clone, env: { LIMIT_USER: 'requests=1000000,cost=100000000', LIMIT_TENANT: '' } })
  token = await system.token('ada')
  const queries = [
    '{ viewer { name balance { amount } orders(first: 2) { edges { node { id status items { sku } } } } } }',
    '{ order(id: "ord_7Kx2") { id status shipment { carrier } } deliveryTerms { freeFrom } }',
    'mutation { cancelOrder(orderId: "ord_nobodys") { id } }',
    'mutation { revokeDelegation(id: "dlg_nobodys") { id } }',
  ]
  load.workers = queries.map(ceaselessly)
})
afterAll(async () => {
  load.isOver = true
  await Promise.all(load.workers)
  await system?.stop()
  await rm(clone, { recursive: true, force: true, maxRetries: 20 })
})

const orders = 'apps/orders/src/schema.graphql'
const terms = 'apps/orders/src/delivery-terms.ts'

describe('while npm start runs, and is used without a pause,', () => {
  it('another resolver takes effect', async () => {
    expect(await ask('{ deliveryTerms { freeFrom } }')).toEqual({ deliveryTerms: { freeFrom: '0.00' } })
    await edit(terms, "freeFrom: '0.00'", "freeFrom: '1.00'")
    await inEffect(terms)
    expect(await ask('{ deliveryTerms { freeFrom } }')).toEqual({ deliveryTerms: { freeFrom: '1.00' } })
  })

  it('another schema does, with its resolver', async () => {
    await edit(orders, '  workingDays: Int!\n', '  workingDays: Int!\n  carrier: String!\n')
    await edit(terms, 'workingDays: 2 }', "workingDays: 2, carrier: 'DHL' } as DeliveryTerms")
    await inEffect(orders)
    await vi.waitFor(async () =>
      expect(await ask('{ deliveryTerms { carrier } }')).toEqual({ deliveryTerms: { carrier: 'DHL' } }),
    )
    // And TypeScript and editors know of it.
    await vi.waitFor(async () => expect(await read('generated/graph.graphql')).toContain('carrier: String!\n}'), slow)
    await vi.waitFor(
      async () => expect(await read('apps/orders/src/generated/schema.ts')).toContain('readonly carrier: Scalars'),
      slow,
    )
  })

  it('another tool does', async () => {
    const tool = `"""Terms of delivery."""\nquery get_terms @tool(examples: ["terms of delivery"]) { deliveryTerms { carrier } }\n`
    await write('apps/orders/tools/get_terms.graphql', tool)
    await inEffect('apps/orders/tools/get_terms.graphql')
    const send = `mutation { chatSend(input: { text: "terms of delivery", idempotencyKey: "terms" }) {
      run { status toolCalls { tool result } } } }`
    expect(await ask(send)).toMatchObject({
      chatSend: {
        run: { status: 'COMPLETED', toolCalls: [{ tool: 'get_terms', result: { deliveryTerms: { carrier: 'DHL' } } }] },
      },
    })
  })

  it('another migration does', async () => {
    await write('apps/orders/migrations/901.sql', "update orders set currency = 'CHF' where id = 'ord_7Kx2';\n")
    await inEffect('apps/orders/migrations/901.sql')
    expect(await ask('{ order(id: "ord_7Kx2") { currency } }')).toEqual({ order: { currency: 'CHF' } })
  })

  it('what does not compose is told of, with file and line, and what is served goes on; and once it does, it is served', async () => {
    const whole = await read(orders)
    const line = whole.slice(0, whole.indexOf('type DeliveryTerms')).split('\n').length
    await edit(orders, 'type DeliveryTerms @public {', 'type DeliveryTerms {\n  days: Int')
    await until(`${orders}:${line}  OWNERSHIP_UNSAID`)
    await vi.waitFor(async () => expect((await graphStatus()).problem).toMatchObject({ file: orders, line }))
    expect((await graphStatus()).problem?.message).toContain('@owner(field: "...")')
    expect(await ask('{ deliveryTerms { carrier } }')).toEqual({ deliveryTerms: { carrier: 'DHL' } })

    // Of another subgraph nothing has to wait for that.
    await edit('apps/balance/src/resolvers.ts', 'export const resolvers', '\nexport const resolvers')
    await inEffect('apps/balance/src/resolvers.ts')
    await vi.waitFor(async () => expect((await graphStatus()).problem).toMatchObject({ file: orders, line }))

    await edit(orders, 'type DeliveryTerms {\n  days: Int', 'type DeliveryTerms @public {\n  days: Int')
    await inEffect(orders)
    expect((await graphStatus()).problem).toBeNull()
    expect(await ask('{ deliveryTerms { days } }')).toEqual({ deliveryTerms: { days: null } })
  })

  it('a process that does not start leaves the one before it', async () => {
    await edit(terms, 'export const deliveryTerms', 'export const deliveryTerms: = 1\nexport const other')
    await until(/orders goes on as it was, and what changed does not start: orders ended \(exit code 1\)/)
    expect(await ask('{ deliveryTerms { freeFrom } }')).toEqual({ deliveryTerms: { freeFrom: '1.00' } })
    await edit(terms, 'export const deliveryTerms: = 1\nexport const other', 'export const deliveryTerms')
    await edit(terms, "freeFrom: '1.00'", "freeFrom: '2.00'")
    await inEffect(terms)
    await vi.waitFor(async () =>
      expect(await ask('{ deliveryTerms { freeFrom } }')).toEqual({ deliveryTerms: { freeFrom: '2.00' } }),
    )
  })

  it('a migration that fails is told of, with file and line, and is run once it can be', async () => {
    await write('apps/orders/migrations/902.sql', '\n\nupdate nothing set at = 1;\n')
    await until(/apps\/orders\/migrations\/902\.sql:3 failed: relation "nothing" does not exist/)
    await write('apps/orders/migrations/902.sql', "update orders set currency = 'USD' where id = 'ord_7Kx2';\n")
    await inEffect('apps/orders/migrations/902.sql')
    expect(await ask('{ order(id: "ord_7Kx2") { currency } }')).toEqual({ order: { currency: 'USD' } })
  })

  it('of another app it says that it needs another start', async () => {
    await write('apps/loyalty/behalf.json', '{ "name": "loyalty", "schema": "schema.graphql", "port": 4105 }')
    expect(await until('apps/loyalty is new')).toContain('apps/loyalty is new. Stop and start again for it.')
    await rm(join(clone, 'apps/loyalty'), { recursive: true })
  })

  it('and nobody noticed', () => {
    expect(load.failures).toEqual([])
    expect(load.answered).toBeGreaterThan(500)
  })
})
