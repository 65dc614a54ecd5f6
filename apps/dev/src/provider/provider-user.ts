/** Somebody whom the development provider can sign in. */
export interface ProviderUser {
  /** Also the `sub` claim. */
  readonly name: string
  readonly tenant: string
  /** One line for people. */
  readonly description: string
  /** All that this user may ask for; more is not granted. */
  readonly scopes: readonly string[]
}
