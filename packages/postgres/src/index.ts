// This file is the complete public surface of @behalf/postgres; @behalf/postgres/embedded is the other entry.
export { postgres, type Postgres, type PostgresOptions } from './postgres.ts'
export type { BoundTransaction } from './bound-transaction.ts'
export { storedCaller, type StoredCaller } from './caller.ts'
export type { Effect } from './perform-once.ts'
export { listenOn, type Listener } from './listen-on.ts'
export { checkCatalogue, type CatalogueOptions } from './check-catalogue.ts'
export { provision, type ProvisionOptions } from './provision.ts'
