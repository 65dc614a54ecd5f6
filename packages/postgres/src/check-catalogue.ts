import pg from 'pg'
import { catalogueRules } from './catalogue-rules.ts'

export interface CatalogueOptions {
  readonly schema: string
  readonly role: string
  /** Names of tables, views and functions of the schema that are exempt, each a decision of its owners. */
  readonly allow?: readonly string[]
  /** Other schemas that the role may use. What is in them is not looked at. */
  readonly allowSchemas?: readonly string[]
  /** Other schemas that show the role some of their rows. Whatever the role has been granted there is looked at. */
  readonly shared?: readonly string[]
}

/**
 * Reads the catalogue for whatever would let a role see or change rows that are not its caller's, or let it change the
 * rules. Answers one sentence for each violation, saying where and what to do; none is an empty list.
 *
 * @throws if the schema or the role is not there, so that a misspelt name does not pass
 */
export async function checkCatalogue(
  adminUrl: string,
  { schema, role, allow = [], allowSchemas = [], shared = [] }: CatalogueOptions,
): Promise<string[]> {
  const client = new pg.Client({ connectionString: adminUrl })
  // What is lost fails the query that waits for it, or the next one.
  client.on('error', () => undefined)
  await client.connect()
  try {
    await client.query('begin read only')
    const there = await client.query('select from pg_namespace, pg_roles where nspname = $1 and rolname = $2', [
      schema,
      role,
    ])
    if (there.rowCount !== 1) throw new Error(`There is no schema "${schema}" or no role "${role}" to check.`)
    const violations: string[] = []
    for (const rule of catalogueRules) {
      const values = [schema, role, [...allow], [...allowSchemas, ...shared], [...shared]]
      // Every rule knows all values, whether it uses them or not, so that PostgreSQL knows their types.
      const { rows } = await client.query<{ violation: string }>(
        `with given as (select $1::name as schema, $2::name as role, $3::text[] as allow,
         $4::text[] as allow_schemas, $5::text[] as shared) ${rule}`,
        values,
      )
      violations.push(...rows.map((row) => row.violation))
    }
    return violations
  } finally {
    await client.end()
  }
}
