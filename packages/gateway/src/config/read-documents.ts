import { z } from 'zod'
import { jsonFile } from './json-file.ts'

const text = z.string().min(1)

/** As Apollo's clients write it. */
const manifest = z
  .object({
    format: z.literal('apollo-persisted-query-manifest'),
    version: z.literal(1),
    operations: z.array(z.object({ id: text, body: text })),
  })
  .transform(({ operations }) => Object.fromEntries(operations.map(({ id, body }) => [id, body])))

/** As GraphQL Code Generator, Relay and others write it: texts by ids. */
const map = z.record(z.string(), text)

/** A path of a file with trusted documents, read: a manifest of Apollo's, or an object with the text of each id. */
export const documentsFile = jsonFile(
  z.looseObject({}).transform((content, { addIssue }): Readonly<Record<string, string>> => {
    const { data, error } = ('format' in content ? manifest : map).safeParse(content)
    for (const { path, message } of error?.issues ?? []) addIssue({ code: 'custom', path, message })
    return data ?? z.NEVER
  }),
)
