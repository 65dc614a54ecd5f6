import { AppError } from '@behalf/identity'
import { answerText, chatErrors, type ChatErrorCode } from '@behalf/orchestration'
import { readConnection, scalars } from '@behalf/subgraph'
import {
  activeRuns,
  answers,
  conversationColumns,
  conversations,
  readMessages,
  runColumns,
  runs,
  steps,
  toolCalls,
  toolCallsById,
  type Context,
} from './loaders.ts'
import { activeStatuses } from './database.ts'
import type { Resolvers } from './generated/schema.ts'
import { readNumberedPage } from './messages-page.ts'
import { runEvents } from './run-events.ts'
import type { RunFeed } from './run-feed.ts'
import type { RunWatch } from './run-watch.ts'
import { sendMessage, type SendOptions } from './send-message.ts'
import { endRun } from './store/end-run.ts'
import { answerIdOf, newId } from './store/new-id.ts'

export interface ResolverOptions extends Omit<SendOptions, 'run'> {
  /** Runs that ended; awaited only by those who wait for one. */
  readonly watch: () => Promise<RunWatch>
  readonly feed: () => Promise<RunFeed>
}

export const createResolvers = (options: ResolverOptions) =>
  ({
    DateTime: scalars.DateTime,
    Query: {
      chatConversation: (_root, { id }, context) => conversations(context).load(id),
      chatConversations: async (_root, page, { db, identity }) => ({
        userId: identity.subject,
        ...(await readConnection(
          page,
          ({ limit, position }) =>
            db
              .selectFrom('conversation')
              .select(conversationColumns)
              .$call((query) =>
                position === null
                  ? query
                  : query.where(({ eb, refTuple, tuple }) =>
                      eb(refTuple('created_at', 'id'), '<', tuple(position.at, position.id)),
                    ),
              )
              .orderBy('created_at', 'desc')
              .orderBy('id', 'desc')
              .limit(limit)
              .execute(),
          (conversation) => ({ at: conversation.createdAt, id: conversation.id }),
        )),
      }),
      chatRun: (_root, { id }, context) => runs(context).load(id),
    },

    Mutation: {
      async chatSend(_root, { input }, context) {
        const watch = await options.watch()
        const fresh = newId('run')
        // Before it is stored, so that its end is heard however soon that is.
        using begun = watch.hear(fresh)
        const sent = await sendMessage(input, context, { ...options, run: fresh })
        if (sent.run === null) return { run: null, error: sent.error && chatError(sent.error) }
        const id = sent.run
        let run: Awaited<ReturnType<typeof readRun>> = null
        const isOver = async () => {
          run = await readRun(context, id)
          if (run?.status !== 'QUEUED' && run?.status !== 'RUNNING') return true
          // Nothing is held while waiting.
          await context.commit()
          return false
        }
        await watch.untilOver(id, input.waitMs ?? 30_000, isOver, id === fresh ? begun : undefined)
        return { run: run ?? (await readRun(context, id)), error: null }
      },

      async chatCancelRun(_root, { runId }, context) {
        const { db } = context
        const said = await db.selectFrom('step').select('text').where('run_id', '=', runId).orderBy('number').execute()
        await endRun(db, runId, null, { status: 'CANCELLED', code: null, retryAfterMs: null, text: answerText(said) })
        return { run: await readRun(context, runId), error: null }
      },

      async chatDeleteConversation(_root, { id }, { db }) {
        const active = await db
          .selectFrom('run')
          .select('id')
          .where('conversation_id', '=', id)
          .where('status', 'in', activeStatuses)
          .execute()
        for (const run of active)
          await endRun(db, run.id, null, { status: 'CANCELLED', code: null, retryAfterMs: null, text: '' })
        const { numDeletedRows } = await db.deleteFrom('conversation').where('id', '=', id).executeTakeFirst()
        return numDeletedRows > 0n
      },
    },

    Subscription: {
      chatRunEvents: {
        subscribe: (_root, given, context) => runEvents(given, context, options.feed),
      },
    },

    ChatToolCallChanged: {
      async toolCall({ call, status }, _arguments, context) {
        const found = await toolCallsById(context).load(call)
        if (found === null || found.status === status) return found
        // It is told as it was: what came of it is in an event of its own.
        return { ...found, status, result: null, resultTruncated: false, errorCode: null, finishedAt: null }
      },
    },

    ChatApprovalRequested: {
      async approval({ call, userId }, _arguments, context) {
        const approval = (await toolCallsById(context).load(call))?.approval ?? null
        return approval === null ? null : { id: approval, subject: userId }
      },
    },

    ChatRunEnded: {
      run: ({ run }, _arguments, context) => runs(context).load(run),
    },

    ChatConversation: {
      __resolveReference: ({ id }, context) => conversations(context).load(id),
      messages: (conversation, page, context) =>
        readNumberedPage(page, (range) => readMessages(context, conversation.id, range)),
      activeRun: (conversation, _arguments, context) => activeRuns(context).load(conversation.id),
    },

    ChatRun: {
      __resolveReference: ({ id }, context) => runs(context).load(id),
      conversation: (run, _arguments, context) => conversations(context).load(run.conversationId),
      async message(run, _arguments, context) {
        if (run.status !== 'AWAITING_APPROVAL') return answers(context).load(run.id)
        // What was said before its user was asked.
        const text = answerText(await steps(context).load(run.id))
        return text === ''
          ? null
          : { id: answerIdOf(run.id), runId: run.id, role: 'ASSISTANT', text, createdAt: run.createdAt }
      },
      pendingApprovals: async (run, _arguments, context) =>
        (await toolCalls(context).load(run.id)).flatMap(({ status, approval }) =>
          status === 'AWAITING_APPROVAL' && approval !== null ? { id: approval, subject: run.userId } : [],
        ),
      toolCalls: (run, _arguments, context) => toolCalls(context).load(run.id),
      backend: (run) => ({ kind: run.backendKind, name: run.backendName }),
      error: (run) => run.errorCode && { ...chatError(run.errorCode), retryAfterMs: run.retryAfterMs },
      async usage(run, _arguments, context) {
        const [answered, calls] = await Promise.all([steps(context).load(run.id), toolCalls(context).load(run.id)])
        const reported = answered.length > 0 && answered.every((step) => step.reported)
        const sum = (of: 'input' | 'output' | 'cached') =>
          reported ? answered.reduce((total, step) => total + (step[of] ?? 0), 0) : null
        return {
          inputTokens: sum('input'),
          outputTokens: sum('output'),
          cachedInputTokens: sum('cached'),
          modelCalls: answered.length,
          toolCalls: calls.length,
          reported,
        }
      },
    },

    ChatMessage: {
      run: (message, _arguments, context) => runs(context).load(message.runId),
    },

    ChatToolCall: {
      durationMs: ({ startedAt, finishedAt }) => startedAt && finishedAt && finishedAt.getTime() - startedAt.getTime(),
    },
  }) satisfies Resolvers

/** Not through the loader, which would remember what it saw before the wait. */
async function readRun({ db }: Context, id: string) {
  return (await db.selectFrom('run').select(runColumns).where('id', '=', id).executeTakeFirst()) ?? null
}

function chatError(code: ChatErrorCode) {
  if (!Object.hasOwn(chatErrors, code))
    throw new AppError('INTERNAL', undefined, { cause: `unknown error code ${code}` })
  return { code, ...chatErrors[code], retryAfterMs: null }
}
