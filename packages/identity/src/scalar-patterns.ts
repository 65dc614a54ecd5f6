/**
 * The texts of the custom scalars that every repository may use, as JSON Schema and the subgraph both check them:
 * what fits a tool's schema must not fail in the resolver.
 */
export const scalarPatterns = {
  /** An exact decimal number, such as `1250.00`: no exponent, no leading zeros. */
  Decimal: String.raw`^-?(?:0|[1-9]\d{0,29})(?:\.\d{1,10})?$`,
  /** A moment in UTC, such as `2026-03-01T09:30:00.000Z` (RFC 3339). */
  DateTime: String.raw`^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,3})?Z$`,
} as const
