// The orchestrator as it is deployed, with a model in its process that plays a script after MODEL_MS milliseconds.
import { setTimeout as pause } from 'node:timers/promises'
import type { ModelBackend } from '@behalf/orchestration'
import { runProcess } from '@behalf/process'
import { readConfig } from '../../apps/orchestrator/src/config.ts'
import { orchestrator } from '../../apps/orchestrator/src/subgraph.ts'
import { eventsOf, holdText, nextAnswer } from './script.ts'

const ms = Number(process.env['MODEL_MS'] ?? 0)
const backend: ModelBackend = {
  kind: 'LANGUAGE_MODEL',
  name: 'scripted',
  async *generate({ messages, signal }) {
    if (messages.some((each) => each.role === 'user' && each.text === holdText))
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
    if (ms > 0) await pause(ms, undefined, { signal })
    yield* eventsOf(nextAnswer(messages))
  },
}

await runProcess({
  name: 'orchestrator',
  readConfig,
  start: (config) => orchestrator(config, { backend }).listen(config),
})
