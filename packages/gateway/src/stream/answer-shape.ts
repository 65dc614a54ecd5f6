/** The form of a field in an answer: in how many lists it is, and its fields if it is an object. */
export interface AnswerShape {
  readonly lists: number
  readonly fields: ReadonlyMap<string, AnswerShape> | null
}

/** Whether a value is made of objects and lists where its shape has them; null fits everywhere. */
export function fits({ lists, fields }: AnswerShape, value: unknown, depth = lists): boolean {
  if (value === null || value === undefined) return true
  if (depth > 0) return Array.isArray(value) && value.every((item) => fits({ lists, fields }, item, depth - 1))
  if (fields === null) return true
  if (!isObject(value)) return false
  for (const [name, field] of fields) {
    if (!Object.hasOwn(value, name)) continue
    if (name === '__typename' ? typeof value[name] !== 'string' : !fits(field, value[name])) return false
  }
  return true
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
