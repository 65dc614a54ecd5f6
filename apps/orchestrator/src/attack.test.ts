import { deriveWorkloadKey } from '@behalf/identity'
import { defaultBounds } from '@behalf/orchestration'
import { attackSubgraph } from '@behalf/testing'
import { createHash, randomBytes } from 'node:crypto'
import { defaultBudgets } from './budgets.ts'
import type { Database } from './database.ts'
import { orchestrator } from './subgraph.ts'

const workloadKey = deriveWorkloadKey(randomBytes(32).toString('base64url'), 'orchestrator', 1)
/** Nobody is there: no run is started. */
const gatewayInternalUrl = 'http://127.0.0.1:1'

attackSubgraph<Database>(
  (config) =>
    orchestrator({
      ...config,
      workloadKey,
      gatewayInternalUrl,
      model: null,
      instructions: '',
      runConcurrency: 1,
      bounds: defaultBounds,
      budgets: defaultBudgets,
    }),
  {
    mine: 'ada',
    theirs: 'ben',
    // The queue's own, which holds ids only: docs/decisions/0002-run-queue.md.
    allow: { allowSchemas: ['orchestrator_queue'] },
    async prepare({ admin }, { name, subject: user_id }) {
      const id = (kind: string) => `${kind}_${createHash('md5').update(name).digest('hex')}`
      const [conversation_id, run_id] = [id('cnv'), id('run')]
      await admin
        .insertInto('conversation')
        .values({ id: conversation_id, user_id, title: `title of ${name}` })
        .execute()
      await admin
        .insertInto('run')
        .values({
          id: run_id,
          conversation_id,
          user_id,
          idempotency_key: name,
          status: 'COMPLETED',
          backend_kind: 'KEYWORD_ROUTER',
          backend_name: 'keyword-router',
          finished_at: new Date(),
        })
        .execute()
      const message = { conversation_id, run_id, user_id }
      await admin
        .insertInto('message')
        .values([
          { ...message, id: id('msg'), role: 'USER', text: `question of ${name}`, position: 1 },
          {
            ...message,
            id: id('msg').replace(/...$/, '000'),
            role: 'ASSISTANT',
            text: `answer to ${name}`,
            position: 2,
          },
        ])
        .execute()
      // Another run waits for its user.
      const waiting = { run_id: id('run').replace(/...$/, '000'), user_id }
      const conversation = id('cnv').replace(/...$/, '000')
      await admin
        .insertInto('conversation')
        .values({ id: conversation, user_id, title: `question to ${name}` })
        .execute()
      await admin
        .insertInto('run')
        .values({
          id: waiting.run_id,
          conversation_id: conversation,
          user_id,
          idempotency_key: `${name} is asked`,
          status: 'AWAITING_APPROVAL',
          waiting_since: new Date(),
          backend_kind: 'KEYWORD_ROUTER',
          backend_name: 'keyword-router',
        })
        .execute()
      await admin
        .insertInto('step')
        .values({ ...waiting, number: 1, text: `asks ${name}`, reason: 'done', reported: false })
        .execute()
      await admin
        .insertInto('tool_call')
        .values({
          ...waiting,
          id: `call_${id('x').slice(2)}0000`,
          step: 1,
          position: 0,
          tool: 'cancel_order',
          arguments: JSON.stringify({}),
          status: 'AWAITING_APPROVAL',
          approval_id: `apr_${id('x').slice(2)}`,
          approval_expires_at: new Date(),
        })
        .execute()
    },
  },
)
