import type { Pool, QueryResultRow } from 'pg'

/**
 * A statement of every request, as text, which each connection reads and plans once: what a query builder does to write it anew each
 * time costs more than to send it.
 *
 * @param name - of this text alone
 * @param text - with `$1` and so on for its values
 */
export const statement =
  <Row extends QueryResultRow>(name: string, text: string) =>
  async (pool: Pool, ...values: readonly unknown[]): Promise<readonly Row[]> =>
    (await pool.query<Row>({ name, text, values: [...values] })).rows
