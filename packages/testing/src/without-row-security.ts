import { sql } from 'kysely'
import type { TestSubgraph } from './test-subgraph.ts'

/**
 * Runs `work` while PostgreSQL holds nothing back in the subgraph's tables: what is private then is kept so by the
 * subgraph alone, as it has to be where a query goes past row-level security.
 */
export async function withoutRowSecurity<Tables, R>(
  { admin, name }: Pick<TestSubgraph<Tables>, 'admin' | 'name'>,
  work: () => Promise<R>,
): Promise<R> {
  const { rows } = await sql<{ relation: string }>`
    select format('%s.%I', relnamespace::regnamespace, relname) as relation
    from pg_class where relnamespace::regnamespace::text = quote_ident(${name}) and relrowsecurity
  `.execute(admin)
  const set = async (state: 'disable' | 'enable') => {
    for (const { relation } of rows) {
      await sql`alter table ${sql.raw(relation)} ${sql.raw(state)} row level security`.execute(admin)
    }
  }
  try {
    await set('disable')
    return await work()
  } finally {
    await set('enable')
  }
}
