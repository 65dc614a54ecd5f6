// With the query planner of Hive Router, in Rust.
process.env['PLANNER'] = 'rust'
await import('./hive.ts')
export {}
