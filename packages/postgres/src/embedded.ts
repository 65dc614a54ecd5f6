// This file is the complete public surface of @behalf/postgres/embedded: PostgreSQL for development and tests.
export { startEmbeddedPostgres, type EmbeddedOptions, type EmbeddedPostgres } from './start-embedded-postgres.ts'
export { passableDataDir } from './passage.ts'
export { testDatabase, type TestDatabase } from './test-database.ts'
