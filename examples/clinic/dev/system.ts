/** Where everything is, on this machine: 4000 and up, or `PORT` and up. */
const first = Number(process.env['PORT'] ?? 4000)
const at = (offset: number) => `http://127.0.0.1:${first + offset}`

export const ports = { gateway: first, internal: first + 1, practice: first + 2, lab: first + 3, postgres: first + 5 }
export const issuer = new URL(at(4))
/** The audiences of access tokens. */
export const resources = { app: `${at(0)}/graphql`, agent: `${at(0)}/mcp` }
