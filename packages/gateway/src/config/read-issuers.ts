import { z } from 'zod'
import type { IssuerConfig } from '../authenticate/issuer.ts'
import { jsonFile } from './json-file.ts'

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

/** A path of a JSON file with a list of issuers, read. */
export const issuersFile = jsonFile(z.array(issuer).min(1))
