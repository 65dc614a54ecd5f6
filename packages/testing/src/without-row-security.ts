import { sql } from 'kysely'
import type { TestSubgraph } from './test-subgraph.ts'

/**
 * Runs `work` while PostgreSQL holds nothing back in the tables that the subgraph reads: what is private then is kept so
 * by the subgraph alone, as it has to be where a query goes past row-level security.
 */
export async function withoutRowSecurity<Tables, R>(
  { admin, name, schemas }: Pick<TestSubgraph<Tables>, 'admin' | 'name' | 'schemas'>,
  work: () => Promise<R>,
): Promise<R> {
  const { rows } = await sql<{ relation: string }>`
    select format('%s.%I', relnamespace::regnamespace, relname) as relation
    from pg_class join pg_namespace n on n.oid = relnamespace
    where relrowsecurity and (nspname = any (${[...schemas]}::text[]) or
      (nspname = 'behalf' and relname = 'audit_event' and has_any_column_privilege(${name}, pg_class.oid, 'select')))
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
