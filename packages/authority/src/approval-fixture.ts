import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ApprovalRequest } from '@behalf/identity'
import pg from 'pg'
import type { Trust } from './fixtures.ts'

export const hashOf = (text: string) => createHash('sha256').update(text).digest('base64url')

/** A call of `cancel_order`, another one each time. */
export const request = (delegation: string, change: Partial<ApprovalRequest> = {}): ApprovalRequest => ({
  delegation,
  run: 'run_1',
  call: `call_${randomUUID()}`,
  tool: 'cancel_order',
  toolVersion: 'v1',
  argumentsHash: hashOf('ord_1'),
  summary: 'Cancel order "ord_1"',
  txn: '01980f6e-2222-7abc-8def-0123456789ab',
  ...change,
})

export interface Person {
  readonly sub?: string
  readonly actor?: string
  readonly scopes?: string
}
export const ada: Person = { sub: 'usr_ada', scopes: 'approvals:decide delegations:manage' }

/** An app that shows people what agents ask them, by a role of a name that no other test has. */
export interface App extends AsyncDisposable {
  readonly role: string
  /** Runs one statement as the app does for somebody, to the end of the transaction. */
  as(person: Person, statement: string, values?: readonly unknown[]): Promise<pg.QueryResult>
  decide(
    id: string,
    change?: { by?: Person; hash?: string; decision?: string; ticket?: string | null },
  ): Promise<string | null>
}

export async function openApp({ database, admin }: Trust): Promise<App> {
  const role = `app_${randomBytes(6).toString('hex')}`
  const folder = await mkdtemp(join(tmpdir(), 'behalf-migrations-'))
  await writeFile(
    join(folder, '001.sql'),
    `select authority.show_to('${role}'), authority.show_approvals_to('${role}')`,
  )
  const url = await database.provision(role, folder)
  await rm(folder, { recursive: true })
  const pool = new pg.Pool({ connectionString: url, max: 4 })
  pool.on('error', () => undefined)

  const app: App = {
    role,
    async as({ sub = '', actor = '', scopes = '' }, statement, values = []) {
      const client = await pool.connect()
      try {
        await client.query('begin')
        await client.query(
          `select set_config('behalf.sub', $1, true), set_config('behalf.actor', $2, true), set_config('behalf.scopes', $3, true)`,
          [sub, actor, scopes],
        )
        const result = await client.query(statement, [...values])
        await client.query('commit')
        return result
      } catch (error) {
        await client.query('rollback')
        throw error
      } finally {
        client.release()
      }
    },
    async decide(id, { by = ada, hash = hashOf('ord_1'), decision = 'APPROVE', ticket = `ticket of ${id}` } = {}) {
      const { rows } = await app.as(by, 'select authority.resolve_approval($1, $2, $3, $4, $5) as outcome', [
        id,
        hash,
        decision,
        ticket,
        '01980f6e-3333-7abc-8def-0123456789ab',
      ])
      return (rows as { outcome: string | null }[])[0]?.outcome ?? null
    },
    async [Symbol.asyncDispose]() {
      await pool.end()
      await admin.query(`drop owned by ${role}; drop role ${role}`)
    },
  }
  return app
}
