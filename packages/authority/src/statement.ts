import { CompiledQuery, type Kysely, type QueryResult } from 'kysely'
import type { Database } from './database.ts'

/**
 * A statement of every request, as text: what a query builder does to write it anew each time costs more than to send it.
 *
 * @param text - with `$1` and so on for its values
 */
export const statement =
  <Row>(text: string) =>
  (db: Kysely<Database>, ...values: readonly unknown[]): Promise<QueryResult<Row>> =>
    db.executeQuery<Row>(CompiledQuery.raw(text, [...values]))
