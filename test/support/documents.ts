import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

/** A command of a document, and what the document says it prints: JSON or text, with `…` for what it leaves open. */
export interface Step {
  readonly line: number
  readonly command: string
  readonly answer: { readonly language: 'json' | 'text'; readonly text: string } | null
}

/** The `sh` blocks of a document, each with the `json` or `text` block that follows it, if one does. */
export function stepsOf(markdown: string): Step[] {
  const blocks = Array.from(
    markdown.matchAll(/^```(\w+)\n(.*?)^```$/gms),
    ({ 1: language = '', 2: text = '', index }) => ({
      language,
      text,
      line: markdown.slice(0, index).split('\n').length,
    }),
  )
  return blocks.flatMap(({ language, text, line }, index) => {
    if (language !== 'sh') return []
    const next = blocks[index + 1]
    const isAnswer = next?.language === 'json' || next?.language === 'text'
    return [
      {
        line,
        command: text,
        answer: isAnswer ? { language: next.language as 'json' | 'text', text: next.text } : null,
      },
    ]
  })
}

/** Runs all commands in one shell, as a reader would, and gives what each printed. */
export async function runSteps(
  steps: readonly Step[],
  options: { cwd: string; env: Record<string, string> },
): Promise<string[]> {
  const mark = '---- next step ----'
  const script = steps.map(({ command }) => `${command}\necho; echo '${mark}'`).join('\n')
  const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', script], options)
  return stdout
    .split(mark)
    .slice(0, -1)
    .map((text) => text.trim())
}

/** Replaces whatever the document leaves open (`…`) in the answer, too, so that the two can be compared. */
export function withOpenParts(actual: unknown, documented: unknown): unknown {
  if (documented === '…') return '…'
  if (Array.isArray(actual) && Array.isArray(documented))
    return actual.map((item, index) => withOpenParts(item, documented[index]))
  if (isObject(actual) && isObject(documented)) {
    return Object.fromEntries(
      Object.entries(actual).map(([name, value]) => [name, withOpenParts(value, documented[name])]),
    )
  }
  return actual
}

/** What was printed, as far as the document shows it, and what it shows. */
export function compared(
  printed: string,
  { language, text }: NonNullable<Step['answer']>,
): { readonly actual: unknown; readonly documented: unknown } {
  if (language === 'json') {
    const documented: unknown = JSON.parse(text)
    return { actual: withOpenParts(JSON.parse(printed), documented), documented }
  }
  const documented = text.trim()
  return { actual: textPattern(documented).test(printed) ? documented : printed, documented }
}

/** Matches what the document shows, line by line; `…` is anything within a line. */
export function textPattern(documented: string): RegExp {
  const parts = documented
    .trim()
    .split('…')
    .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${parts.join('.+')}$`)
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null
