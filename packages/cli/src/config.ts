/** Everything that the command line takes from the environment. */
export interface Config {
  /** `BEHALF_ROOT_KEY`: 32 bytes, base64url. Only `behalf keys` needs it. */
  readonly rootKey: string | null
  /** `DATABASE_URL`: of role `gateway` for `behalf revoke`, of the administrator for `behalf explain` and `behalf migrate`. */
  readonly databaseUrl: string | null
  /** `<NAME>_DATABASE_URL`: what the process of this name is given. Only `behalf migrate` needs it. */
  readonly databaseUrlOf: (name: string) => string | null
}

export function readConfig(env: NodeJS.ProcessEnv = process.env): Config {
  return Object.freeze({
    rootKey: env['BEHALF_ROOT_KEY'] || null,
    databaseUrl: env['DATABASE_URL'] || null,
    databaseUrlOf: (name: string) => env[`${name.toUpperCase()}_DATABASE_URL`] || null,
  })
}
