import { queryTogether } from '@behalf/postgres'
import type { Kysely } from 'kysely'
import type { Database } from '../database.ts'
import { runTask, maxJobAttempts, type RunJob } from '../queue/run-job.ts'
import { queueSchema } from '../queue/queue-migration.ts'
import { messageStatement } from './end-run.ts'
import { newId } from './new-id.ts'

/** A text that was sent, and what answers it. */
export interface NewRun {
  readonly run: string
  /** Null begins one. */
  readonly conversation: string | null
  readonly title: string
  readonly text: string
  readonly idempotencyKey: string
  readonly backend: { readonly kind: 'LANGUAGE_MODEL' | 'KEYWORD_ROUTER'; readonly name: string }
  readonly delegation: string
  readonly owner: Pick<RunJob, 'subject' | 'tenant'>
}

/**
 * Stores the run with its conversation, delegation and job, and the text. In one statement but for the text, whose place in the
 * conversation can be seen only once no other run is in it.
 *
 * @returns false where another run came first; what was stored by then is to be undone
 */
export async function storeNewRun(db: Kysely<Database>, added: NewRun): Promise<boolean> {
  const { run, title, text, idempotencyKey, backend, delegation, owner } = added
  const conversation = added.conversation ?? newId('cnv')
  const isNew = added.conversation === null
  // Whatever was stored meanwhile, by a repeat or by another text, is seen by the unique indexes.
  const [rows = []] = await queryTogether(db, [
    {
      name: 'new_run',
      text: `with begun as (
          insert into conversation (id, title) select $1, $2 where $3::boolean
        ), added as (
          insert into run (id, conversation_id, idempotency_key, backend_kind, backend_name)
          values ($4, $1, $5, $6, $7)
          on conflict do nothing returning id
        ), delegated as (
          insert into run_delegation (run_id, handle) select id, $8 from added
        )
        select ${queueSchema}.add_job('${runTask}', $9::json, max_attempts => ${maxJobAttempts}) from added`,
      values: [
        conversation,
        title,
        isNew,
        run,
        idempotencyKey,
        backend.kind,
        backend.name,
        delegation,
        JSON.stringify({ run, ...owner }),
      ],
    },
    messageStatement({ run, role: 'USER', text }),
  ])
  return rows.length > 0
}
