import { randomUUID } from 'node:crypto'
import { errorTable, type OfferedTool, type ToolOutcome } from '@behalf/identity'
import { ModelError, type ModelEvent } from './model-backend.ts'
import type { RunBounds } from './run-bounds.ts'
import type { Call, Step } from './run-store.ts'

/**
 * Reads one answer of a model. Calls get ids of ours; one that names no offered tool or whose arguments
 * are no JSON object is settled at once, with an error for the model, and is never sent. An answer beyond
 * the bounds is cut off, and then has no calls.
 *
 * @param onText - told of text as it comes; whoever reads the step has all of it.
 * @throws {ModelError} `MODEL_BAD_OUTPUT` when the answer ends without a finish.
 */
export async function readModelStep(
  events: AsyncIterable<ModelEvent>,
  offered: readonly OfferedTool[],
  bounds: Pick<RunBounds, 'callsPerStep' | 'textLength' | 'argumentsLength'>,
  onText: (text: string) => void = () => undefined,
): Promise<Step> {
  const names = new Set(offered.map((tool) => tool.name))
  const calls: Call[] = []
  let text = ''
  for await (const event of events) {
    if (event.type === 'text') {
      text += event.text
      if (text.length > bounds.textLength) return exceeded(cut(text, bounds.textLength))
      onText(event.text)
    } else if (event.type === 'call') {
      if (calls.length === bounds.callsPerStep) return exceeded(text)
      calls.push(toCall(event, names, bounds.argumentsLength))
    } else {
      // The last call of an answer that was cut off may be half a call.
      return { text, calls: event.reason === 'done' ? calls : [], reason: event.reason, usage: event.usage }
    }
  }
  throw new ModelError('MODEL_BAD_OUTPUT', { cause: 'the answer has no end' })
}

const exceeded = (text: string): Step => ({ text, calls: [], reason: 'length', usage: null })

function toCall(event: { name: string; arguments: string }, names: ReadonlySet<string>, argumentsLength: number): Call {
  const id = `call_${randomUUID()}`
  if (!names.has(event.name)) return { id, name: cut(event.name, 64), arguments: {}, outcome: refused('TOOL_UNKNOWN') }
  const parsed = event.arguments.length > argumentsLength ? null : parseArguments(event.arguments)
  return parsed
    ? { id, name: event.name, arguments: parsed, outcome: null }
    : { id, name: event.name, arguments: {}, outcome: refused('TOOL_ARGUMENTS_INVALID') }
}

function refused(code: 'TOOL_UNKNOWN' | 'TOOL_ARGUMENTS_INVALID'): ToolOutcome {
  return { ok: false, error: { code, message: errorTable[code].model } }
}

/** Real servers send an empty string for a call without arguments. */
function parseArguments(text: string): Record<string, unknown> | null {
  if (text.trim() === '') return {}
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) && isKept(value) ? { ...value } : null
  } catch {
    return null
  }
}

/** No tool has inputs this deep; databases and serializers give up at a depth of thousands. */
const maxDepth = 32

/** Whether JSON says the same again when it is written: 1e400 is read as Infinity, and that is written as null. */
function isKept(value: unknown, depth = 0): boolean {
  if (typeof value === 'number') return Number.isFinite(value)
  if (typeof value !== 'object' || value === null) return true
  return depth < maxDepth && Object.values(value).every((item) => isKept(item, depth + 1))
}

/** Shortens without leaving half a character. */
function cut(text: string, length: number): string {
  return text.slice(0, length).toWellFormed()
}
