import type { OfferedTool } from '@behalf/identity'
import { readEvidence } from './evidence.ts'
import { fillSlots, slotsOf, type Filled } from './slots.ts'
import { isFiller, nameTerms, readTerms, type Terms } from './terms.ts'

/** How well a tool fits a question. */
export interface Match {
  readonly tool: OfferedTool
  readonly score: number
  readonly filled: Filled
  /** What the tool has no use for, as written: with any of it, the question is about something else. */
  readonly unexplained: readonly string[]
}

interface Profile {
  readonly tool: OfferedTool
  /** Term to weight: the more a place says about what the tool is for, the more. */
  readonly weights: ReadonlyMap<string, number>
  readonly examples: readonly ReadonlySet<string>[]
  /** Terms of name, title and examples: how people ask for it. */
  readonly asked: ReadonlySet<string>
}

const weightOf = { name: 3, title: 2, example: 2, argument: 1.5, description: 1 }
const exampleWeight = 4

/** Tools that share a word with the question, best first; equal ones by name. */
export function matchTools(question: string, tools: readonly OfferedTool[]): Match[] {
  const { values, rest } = readEvidence(question)
  const terms = readTerms(rest)
  const said = new Set([...terms.words, ...values.map(({ kind }) => `<${kind}>`)])
  const profiles = tools.map(profileOf)
  const rarity = (term: string) =>
    Math.log(1 + profiles.length / profiles.filter(({ weights }) => weights.has(term)).length)

  return profiles
    .map((profile): Match => {
      const { tool, weights } = profile
      const filled = fillSlots(tool, values, terms.content)
      const known = [...terms.content].filter((term) => weights.has(term))
      const overlap = known.reduce((sum, term) => sum + (weights.get(term) ?? 0) * rarity(term), 0)
      const alike = Math.max(0, ...profile.examples.map((example) => dice(example, said)))
      const fitsValues = values.length > 0 && filled.unused.length === 0 ? 1 : 0
      const relevant = known.length > 0 || (fitsValues === 1 && alike > 0.5)
      return {
        tool,
        score: relevant ? overlap + exampleWeight * alike + fitsValues : 0,
        filled,
        unexplained: unexplained(terms, profile, filled),
      }
    })
    .filter(({ score }) => score > 0)
    .toSorted((a, b) => b.score - a.score || (a.tool.name < b.tool.name ? -1 : 1))
}

function unexplained(terms: Terms, { tool, weights, asked }: Profile, filled: Filled): string[] {
  const strange = [...terms.content].filter((term) => !weights.has(term) && !filled.usedWords.has(term))
  // "Transfer ..." asks for something to be done: that a description happens to hold the word is not enough.
  const [leading] = terms.words
  if (leading !== undefined && terms.content.has(leading) && !asked.has(leading) && !strange.includes(leading))
    strange.push(leading)
  // What changes something is called by its own name or not at all.
  const verb = nameTerms(tool.name).find((term) => !isFiller(term))
  if (!tool.readOnly && verb !== undefined && !terms.content.has(verb)) strange.push(...terms.content)
  return [
    ...new Set([...strange.map((term) => terms.written.get(term) ?? term), ...filled.unused.map(({ text }) => text)]),
  ]
}

function profileOf(tool: OfferedTool): Profile {
  const weights = new Map<string, number>()
  const asked = new Set<string>()
  const add = (terms: Iterable<string>, weight: number, isAsked = false) => {
    for (const term of terms) {
      if (isFiller(term)) continue
      weights.set(term, Math.max(weight, weights.get(term) ?? 0))
      if (isAsked) asked.add(term)
    }
  }
  const examples = tool.examples.map((example) => {
    const { values, rest } = readEvidence(example)
    const { words } = readTerms(rest)
    add(words, weightOf.example, true)
    return new Set([...words, ...values.map(({ kind }) => `<${kind}>`)])
  })
  add(nameTerms(tool.name), weightOf.name, true)
  add(readTerms(tool.title).words, weightOf.title, true)
  add(readTerms(tool.description).words, weightOf.description)
  for (const { path, schema } of slotsOf(tool.inputSchema)) {
    path.forEach((name) => add(nameTerms(name), weightOf.argument))
    if (typeof schema['description'] === 'string') add(readTerms(schema['description']).words, weightOf.description)
    if (Array.isArray(schema['enum']))
      schema['enum'].forEach((option) => add(nameTerms(String(option)), weightOf.argument))
  }
  return { tool, weights, examples, asked }
}

/** Sørensen–Dice coefficient. */
function dice(a: ReadonlySet<string>, b: ReadonlySet<string>): number {
  return a.size + b.size === 0 ? 0 : (2 * [...a].filter((item) => b.has(item)).length) / (a.size + b.size)
}
