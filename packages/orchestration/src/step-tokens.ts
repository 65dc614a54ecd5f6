import type { Step } from './run-store.ts'

/** What a step cost. A token is about four characters of English or JSON; used only where the backend reports nothing. */
export function stepTokens({ text, calls, usage }: Step): number {
  const reported = (usage?.inputTokens ?? 0) + (usage?.outputTokens ?? 0)
  return reported > 0 ? reported : Math.ceil((text.length + JSON.stringify(calls).length) / 4)
}
