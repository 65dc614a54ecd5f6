/** What a gateway under test is started with: JSON in `CONTEST`. It prints its URL once it serves. */
export interface Contest {
  /** Path of the supergraph. */
  readonly supergraph: string
  /** Path of `graph.json`. */
  readonly graph: string
  /** Path of another, in which nobody has to be somebody. */
  readonly openGraph: string
  readonly urls: Readonly<Record<string, string>>
  readonly issuer: string
  readonly audience: string
  /** Of `/mcp`, where that is served. */
  readonly mcpAudience: string
  /** base64url, 32 bytes. */
  readonly secret: string
}

export const readContest = (): Contest => JSON.parse(process.env['CONTEST'] ?? '{}') as Contest

export function ready(url: string): void {
  // A profile is written at an orderly exit.
  process.once('SIGTERM', () => process.exit(0))
  console.log(`READY ${url}`)
}
