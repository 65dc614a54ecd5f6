import { type Kysely, sql } from 'kysely'

/** A row as JSON, by its table. */
export interface DatabaseRow {
  readonly table: string
  readonly row: Readonly<Record<string, unknown>>
  /** Every column as PostgreSQL writes it: `1250.00`, `usr_ada`. */
  readonly texts: readonly string[]
}

/** Everything in the tables of a schema, and what its app has performed, as the administrator sees it. */
export async function readRows(admin: Kysely<never>, schema: string): Promise<DatabaseRow[]> {
  const { rows: tables } = await sql<{ name: string }>`
    select format('%I.%I', table_schema, table_name) as name from information_schema.tables
    where table_schema = ${schema} and table_type = 'BASE TABLE' order by 1
  `.execute(admin)
  const read = tables.map(
    ({ name }) => sql`select ${name}::text as name, to_jsonb(t) as content from ${sql.raw(name)} t`,
  )
  const performed = sql`select 'performed' as name, to_jsonb(p) as content from behalf.performed p where receiver = ${schema}`
  const { rows } = await sql<{ name: string; content: Record<string, unknown>; texts: string[] }>`
    select name, content, array(select value from jsonb_each_text(content) where value is not null) as texts
    from (${sql.join([...read, performed], sql` union all `)}) as everything
    order by name, content::text
  `.execute(admin)
  return rows.map(({ name, content, texts }) => ({ table: name, row: content, texts }))
}
