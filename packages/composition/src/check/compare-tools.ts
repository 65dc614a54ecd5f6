import type { Graph, ToolDefinition } from '@behalf/identity'
import type { Tell } from './change.ts'
import { compareJsonSchemas } from './compare-json-schemas.ts'
import { compareSets, setsInWords } from './compare-sets.ts'

/** What models and MCP clients can call, and what it says of itself. */
export function compareTools(before: Graph, after: Graph, tell: Tell): void {
  const current = new Map(after.tools.map((tool) => [tool.name, tool]))
  for (const old of before.tools) {
    const tool = current.get(old.name)
    if (tool === undefined) tell('BREAKING', 'TOOL_REMOVED', `tool ${old.name}`, `${old.name} was removed.`)
    else if (tool.version !== old.version) compareTool(old, tool, tell)
    current.delete(old.name)
  }
  for (const { name, scopes } of current.values())
    tell(
      'NOTED',
      'TOOL_ADDED',
      `tool ${name}`,
      `${name} is new: agents can call it with ${setsInWords('scopes', scopes)}.`,
    )
}

function compareTool(old: ToolDefinition, tool: ToolDefinition, tell: Tell): void {
  const { name } = tool
  const at = `tool ${name}`
  for (const [code, what] of [
    ['TOOL_SCOPES', 'scopes'],
    ['TOOL_POLICIES', 'policies'],
  ] as const) {
    const change = compareSets(old[what], tool[what])
    const message = `${name} asks for ${setsInWords(what, tool[what])}, and asked for ${setsInWords(what, old[what])}.`
    if (change) tell(change.admitsMore ? 'LOOSENED' : 'BREAKING', code, at, message)
  }
  if (old.approval !== null && tool.approval === null)
    tell('LOOSENED', 'TOOL_APPROVAL', at, `${name} runs without asking its user.`)
  if (old.approval === null && tool.approval !== null)
    tell('BREAKING', 'TOOL_APPROVAL', at, `${name} now asks its user before it runs.`)
  if (old.readOnly && !tool.readOnly)
    tell('LOOSENED', 'TOOL_EFFECT', at, `${name} only read, and now changes something.`)
  const bound = ({ bindings }: ToolDefinition) => bindings.map(({ variable, claim }) => `$${variable} to ${claim}`)
  for (const lost of bound(old).filter((each) => !bound(tool).includes(each)))
    tell('LOOSENED', 'TOOL_BINDING', at, `${name} no longer binds ${lost}.`)
  for (const made of bound(tool).filter((each) => !bound(old).includes(each)))
    tell('NOTED', 'TOOL_BINDING', at, `${name} now binds ${made}.`)

  for (const [code, what, direction] of [
    ['TOOL_INPUT', 'inputSchema', 'input'],
    ['TOOL_OUTPUT', 'outputSchema', 'output'],
  ] as const) {
    const { breaking, words, additions } = compareJsonSchemas(old[what], tool[what], direction)
    const of = direction === 'input' ? 'arguments' : 'result'
    if (breaking.length > 0) tell('BREAKING', code, at, `Of the ${of} of ${name}, ${breaking.join('; ')}.`)
    if (additions.length > 0) tell('NOTED', code, at, `Of the ${of} of ${name}, ${additions.join('; ')}.`)
    if (words.length > 0)
      tell('NOTED', 'TOOL_DESCRIPTION', at, `Of the ${of} of ${name}, another text: ${words.join('; ')}.`)
  }
  if (old.description !== tool.description)
    tell('NOTED', 'TOOL_DESCRIPTION', at, `A model reads of ${name}: ${JSON.stringify(tool.description)}.`)
  const changed = (['title', 'summary', 'examples'] as const).filter(
    (key) => JSON.stringify(old[key]) !== JSON.stringify(tool[key]),
  )
  if (changed.length > 0) tell('NOTED', 'TOOL_WORDS', at, `${name} has another ${changed.join(', another ')}.`)
}
