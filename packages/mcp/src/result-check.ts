import type { JsonSchema } from '@behalf/identity'
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'

/** Whether a result is what its schema says. */
export type ResultCheck = (schema: JsonSchema, result: unknown) => boolean

/** Compiles each schema once: those of tools are the same objects for as long as the tools are. */
export function createResultCheck(): ResultCheck {
  const ajv = new Ajv2020({ strict: false, ownProperties: true })
  formats.default(ajv)
  const compiled = new WeakMap<JsonSchema, ValidateFunction>()
  return (schema, result) => {
    const check = compiled.get(schema) ?? ajv.compile(schema)
    compiled.set(schema, check)
    return check(result)
  }
}
