import { readFileSync } from 'node:fs'
import { z } from 'zod'
import type { IssuerConfig } from '../authenticate/issuer.ts'

const text = z.string().min(1)
const list = z.array(text).readonly()

/** An issuer as `ISSUERS` has it: audiences that it does not name are those of the gateway. */
const issuer = z.strictObject({
  issuer: z.url(),
  audiences: z.strictObject({ graphql: text.exactOptional(), mcp: text.exactOptional() }).default({}),
  interactiveClients: list.default([]),
  algorithms: list.exactOptional(),
  typ: z.enum(['at+jwt', 'JWT']).exactOptional(),
  maxTokenAge: z.int().positive().exactOptional(),
  claims: z
    .strictObject({
      tenant: text.exactOptional(),
      roles: text.exactOptional(),
      client: text.exactOptional(),
      scope: text.exactOptional(),
    })
    .exactOptional(),
  tenants: list.exactOptional(),
  scopes: list.exactOptional(),
  roles: z.record(text, list).exactOptional(),
  logoutClients: list.exactOptional(),
  logoutEnds: z.enum(['session', 'subject']).exactOptional(),
}) satisfies z.ZodType<Omit<IssuerConfig, 'audiences'>>

/** A path of a JSON file with a list of issuers, read; each fault says where in the file it is. */
export const issuersFile = z
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
  .transform(({ path, content }, { addIssue }) => {
    const { data, error } = z.array(issuer).min(1).safeParse(content)
    for (const { path: place, message } of error?.issues ?? [])
      addIssue(`in ${path}, at ${['$', ...place].join('.')}: ${message}`)
    return data ?? z.NEVER
  })
