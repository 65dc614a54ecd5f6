import { type Kysely, sql } from 'kysely'

export interface DatabaseRow {
  readonly table: string
  /** As PostgreSQL writes it as JSON. */
  readonly json: string
  /** Every column as text: `1250.00`, `usr_ada`. */
  readonly texts: readonly string[]
}

/** Everything in the tables of some schemas, and in others that are named, as the administrator sees it. */
export async function readRows(
  admin: Kysely<never>,
  schemas: readonly string[],
  others: readonly string[],
): Promise<DatabaseRow[]> {
  const { rows: tables } = await sql<{ name: string }>`
    select format('%I.%I', nspname, relname) as name from pg_class join pg_namespace n on n.oid = relnamespace
    where nspname = any (${[...schemas]}::text[]) and relkind = 'r'
  `.execute(admin)
  const reads = [...tables.map(({ name }) => name), ...others].map(
    (name) => sql`select ${name}::text as name, to_jsonb(t) as content from ${sql.raw(name)} t`,
  )
  const { rows } = await sql<{ name: string; content: string; texts: string[] }>`
    select name, content::text, array(select value from jsonb_each_text(content) where value is not null) as texts
    from (${sql.join(reads, sql` union all `)}) as everything order by name, content::text
  `.execute(admin)
  return rows.map(({ name, content, texts }) => ({ table: name, json: content, texts }))
}
