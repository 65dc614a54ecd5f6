import { readFileSync } from 'node:fs'
import { createAgentApi, keywordRouter, languageModel, type AgentApi, type ModelBackend } from '@behalf/orchestration'
import { postgres } from '@behalf/postgres'
import { createLog } from '@behalf/process'
import { createSubgraph, type Subgraph } from '@behalf/subgraph'
import type { Config } from './config.ts'
import type { Database } from './database.ts'
import { followDecisions } from './follow-decisions.ts'
import { createResolvers } from './resolvers.ts'
import { openRunFeed, type RunFeed } from './run-feed.ts'
import { watchRuns } from './run-watch.ts'
import { startWorker } from './worker.ts'

const typeDefs = readFileSync(new URL('./schema.graphql', import.meta.url), 'utf8')

/** The chat subgraph together with the worker of its runs: every replica is both. */
export function orchestrator(
  config: Config,
  parts: { readonly backend?: ModelBackend; readonly agentApi?: AgentApi } = {},
): Subgraph {
  const log = createLog('orchestrator', config.logLevel)
  const db = postgres<Database>(config.databaseUrl)
  const backend = parts.backend ?? (config.model ? languageModel(config.model) : keywordRouter())
  const agentApi =
    parts.agentApi ??
    createAgentApi({
      baseUrl: config.gatewayInternalUrl,
      name: 'orchestrator',
      key: config.workloadKey,
      trustDomain: config.trustDomain,
    })
  const watch = Promise.withResolvers<Awaited<ReturnType<typeof watchRuns>>>()
  const feed = Promise.withResolvers<RunFeed>()

  const subgraph = createSubgraph<Database>({
    name: 'orchestrator',
    typeDefs,
    resolvers: createResolvers({
      agentApi,
      backend,
      budgets: config.budgets,
      watch: () => watch.promise,
      feed: () => feed.promise,
    }),
    contextKeys: config.contextKeys,
    trustDomain: config.trustDomain,
    db,
    logLevel: config.logLevel,
    // chatSend waits for up to 60 s.
    limits: { answerMs: 75_000, drainMs: 10_000 },
  })

  return {
    name: subgraph.name,
    schema: subgraph.schema,
    async listen(address) {
      if (backend.kind === 'KEYWORD_ROUTER') {
        log.info('No model is configured (MODEL_BASE_URL): keyword-router answers, which is not a language model.')
      }
      const runs = await watchRuns(db)
      watch.resolve(runs)
      const live = await openRunFeed(db, { key: config.workloadKey, log })
      feed.resolve(live)
      const worker = await startWorker({ config, db, backend, agentApi, watch: runs, feed: live, log })
      const decisions = followDecisions({ agentApi, queue: worker, log })
      const listening = await subgraph.listen(address)
      let closing: Promise<void> | null = null
      async function close(): Promise<void> {
        decisions.stop()
        await worker.stop()
        await runs.close()
        await live.close()
        await listening.close()
      }
      return { url: listening.url, close: () => (closing ??= close()) }
    },
  }
}
