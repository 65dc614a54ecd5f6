import type { OfferedTool } from '@behalf/identity'
import type { ModelBackend, ModelMessage } from '../model-backend.ts'
import { describeResult } from './describe-result.ts'
import { readEvidence } from './evidence.ts'
import { matchTools } from './match-tools.ts'
import { describeSlot } from './slots.ts'
import { readTerms } from './terms.ts'

/** Said in every answer. */
const signature = 'I am keyword-router: I match words to tools and am not a language model.'

type Decision =
  | { readonly call: OfferedTool; readonly arguments: Readonly<Record<string, unknown>> }
  | { readonly say: string }

/** Tools that match about as well as the best one. */
const close = 0.9

/**
 * A backend without a model: deterministic, knows no tool by name, and makes at most one call per turn. It calls only
 * when one tool explains every word and every value of the question, and when every required argument has a value of
 * its type in the question; otherwise it asks or declines. Answers are made of returned fields only.
 */
export function keywordRouter(): ModelBackend {
  return {
    kind: 'KEYWORD_ROUTER',
    name: 'keyword-router',
    async *generate({ messages, tools, signal }) {
      signal.throwIfAborted()
      const last = messages.at(-1)
      const decision: Decision = last?.role === 'tool' ? { say: report(messages) } : decide(questionOf(messages), tools)
      if ('call' in decision) {
        const { call: tool } = decision
        // The gateway asks, in words of its own; here it is only said that it does.
        if (tool.requiresApproval) yield { type: 'text', text: `"${tool.title}" waits for your approval.` }
        yield { type: 'call', name: tool.name, arguments: JSON.stringify(decision.arguments) }
      } else yield { type: 'text', text: `${decision.say}\n\n${signature}` }
      yield { type: 'finish', reason: 'done', usage: null }
    },
  }
}

function decide(question: string, tools: readonly OfferedTool[]): Decision {
  const matches = matchTools(question, tools)
  const explained = matches.filter(({ unexplained }) => unexplained.length === 0)
  const [best] = explained
  if (!best) return { say: decline(matches[0]?.unexplained ?? [], tools) }
  if (best.filled.missing.length > 0) {
    const needed = best.filled.missing.map((slot) => describeSlot(slot, best.tool))
    return { say: `For "${best.tool.title}" I need the ${needed.join(' and the ')}. Please ask again with it.` }
  }
  const rivals = explained.filter(({ filled, score }) => filled.missing.length === 0 && score >= best.score * close)
  if (rivals.length > 1)
    return {
      say: `Do you mean ${rivals.map(({ tool }) => `"${tool.title}"`).join(' or ')}? Please ask for one of them.`,
    }
  return { call: best.tool, arguments: best.filled.arguments }
}

function decline(unexplained: readonly string[], tools: readonly OfferedTool[]): string {
  const shown = unexplained.slice(0, 3).map((word) => `"${word.slice(0, 40)}"`)
  const why = shown.length === 0 ? 'I found no tool for that.' : `I do not know what to do with ${shown.join(', ')}.`
  const examples = tools.flatMap(({ examples: [first] }) => (first === undefined ? [] : [`- ${first}`])).slice(0, 6)
  return examples.length === 0 ? why : `${why} I can look up your own data, for example:\n${examples.join('\n')}`
}

/** One call was made in this turn: what it gave. */
function report(messages: readonly ModelMessage[]): string {
  const outcome = messages.findLast((message) => message.role === 'tool')?.outcome
  if (!outcome) return 'Nothing was found.'
  return outcome.ok ? describeResult(outcome.result, outcome.truncated) : `That did not work. ${outcome.error.message}`
}

/** The user's text; if it is only the value that was asked for, together with the question it was asked for. */
function questionOf(messages: readonly ModelMessage[]): string {
  const texts = messages.flatMap((message) => (message.role === 'user' ? [message.text] : []))
  const question = texts.at(-1) ?? ''
  const before = texts.at(-2)
  const { values, rest } = readEvidence(question)
  const isAnswer = values.length > 0 && readTerms(rest).content.size === 0
  const asked = messages.findLast((message) => message.role === 'assistant')?.text.startsWith('For "') === true
  return isAnswer && asked && before !== undefined ? `${before} ${question}` : question
}
