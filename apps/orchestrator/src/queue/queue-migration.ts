import { readdir, readFile } from 'node:fs/promises'

/** Schema of the run queue; not the app's own, whose tables all belong to users. */
export const queueSchema = 'orchestrator_queue'

const folder = new URL('../sql/', import.meta.resolve('graphile-worker'))

/**
 * What migrations/002-queue.sql holds: the queue library's own migrations, in order, for the migrating role to run,
 * and for the app's role the use of the tables. The library itself then finds nothing left to do when it starts.
 */
export async function queueMigration(): Promise<string> {
  const files = (await readdir(folder)).filter((file) => /^\d{6}\.sql$/.test(file)).toSorted()
  const steps = await Promise.all(
    files.map(async (file) => {
      const text = await readFile(new URL(file, folder), 'utf8')
      const breaking = text.startsWith('--! breaking-change')
      return `-- ${file}\ninsert into :GRAPHILE_WORKER_SCHEMA.migrations (id, breaking) values (${Number.parseInt(file, 10)}, ${breaking});\n${text.trim()}`
    }),
  )
  return `${[head, ...steps, grants].join('\n\n').replaceAll(':GRAPHILE_WORKER_SCHEMA', queueSchema)}\n`
}

const head = `-- Generated from graphile-worker (MIT, Copyright Benjie Gillam): src/queue/queue-migration.ts, compared by its test.
create schema :GRAPHILE_WORKER_SCHEMA;
create table :GRAPHILE_WORKER_SCHEMA.migrations (id int primary key, ts timestamptz default now() not null, breaking boolean not null default false);`

// The library switches row-level security on and adds no policy, so that only the owner gets in. Jobs hold ids and no data.
const tables = ['_private_jobs', '_private_job_queues', '_private_tasks', '_private_known_crontabs']
const grants = `-- What the app's role may do: work with jobs, change nothing of the schema.
grant usage on schema :GRAPHILE_WORKER_SCHEMA to orchestrator;
grant select on :GRAPHILE_WORKER_SCHEMA.migrations to orchestrator;
grant usage on all sequences in schema :GRAPHILE_WORKER_SCHEMA to orchestrator;
revoke execute on all functions in schema :GRAPHILE_WORKER_SCHEMA from public;
grant execute on all functions in schema :GRAPHILE_WORKER_SCHEMA to orchestrator;
${tables
  .map(
    (table) => `grant select, insert, update, delete on :GRAPHILE_WORKER_SCHEMA.${table} to orchestrator;
create policy orchestrator on :GRAPHILE_WORKER_SCHEMA.${table} to orchestrator using (true) with check (true);`,
  )
  .join('\n')}`
