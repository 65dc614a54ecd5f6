import { scalarPatterns, type JsonSchema } from '@behalf/identity'

/** JSON Schemas of scalars by name: GraphQL's own, and the custom ones that every repository may use. */
export type ScalarSchemas = Readonly<Record<string, JsonSchema>>

export const scalarSchemas: ScalarSchemas = {
  ID: { type: 'string' },
  String: { type: 'string' },
  Int: { type: 'integer' },
  Float: { type: 'number' },
  Boolean: { type: 'boolean' },
  Decimal: {
    type: 'string',
    pattern: scalarPatterns.Decimal,
    description: 'An exact decimal number, such as "12.50".',
  },
  DateTime: { type: 'string', format: 'date-time', pattern: scalarPatterns.DateTime },
}
