import { readFileSync } from 'node:fs'
import { z } from 'zod'

/** A path of a JSON file of this schema, read; each fault says where in the file it is, and quotes nothing of it. */
export const jsonFile = <T>(schema: z.ZodType<T>) =>
  z
    .string()
    .transform((path, { addIssue }) => {
      try {
        return { path, content: JSON.parse(readFileSync(path, 'utf8')) as unknown }
      } catch (error) {
        // The message of a parser quotes the file.
        addIssue(error instanceof SyntaxError ? `${path} is not JSON` : `${path} cannot be read`)
        return z.NEVER
      }
    })
    .transform(({ path, content }, { addIssue }): T => {
      const { data, error } = schema.safeParse(content)
      for (const { path: place, message } of error?.issues ?? [])
        addIssue(`in ${path}, at ${['$', ...place].join('.')}: ${message}`)
      return data ?? z.NEVER
    })
