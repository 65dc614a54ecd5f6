// This file is the complete public surface of @behalf/authority.
export { authorityMigrations, authoritySchema, createAuthority, type AuthorityOptions } from './create-authority.ts'
export type { Authority } from './authority.ts'
