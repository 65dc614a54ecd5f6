/**
 * A text that says something, and that the database can keep: not U+0000, and no half of a surrogate pair, both of which
 * JSON has. Whoever could not be looked up, or was on no record, would be somebody nobody knows of.
 */
export const isText = (value: unknown): value is string =>
  typeof value === 'string' && value !== '' && !value.includes('\0') && value.isWellFormed()
