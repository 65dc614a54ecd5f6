import type { OperationDefinitionNode } from 'graphql'
import type { Place, Problems } from './problem.ts'

const longest = 300

/**
 * What a user is asked before a call is made: a template of the team's, with each argument that a model gives. One that
 * left an argument out would have something approved that nobody saw.
 */
export function proveSummary(
  {
    name,
    operation,
    place,
  }: { readonly name: string; readonly operation: OperationDefinitionNode; readonly place: Place },
  summary: string | null,
  bound: ReadonlySet<string>,
  problems: Problems,
): string | null {
  if (summary === null || summary.trim() === '' || summary.length > longest) {
    const what = summary?.trim() ? `a summary of ${summary.length} characters` : 'no summary'
    problems.add('TOOL_SUMMARY', place, `${name} needs approval, and has ${what}.`)
    return null
  }
  const names = new Set(Array.from(summary.matchAll(/\{([^{}]*)\}/g), ([, inner = '']) => inner))
  const given = (operation.variableDefinitions ?? [])
    .map(({ variable }) => variable.name.value)
    .filter((variable) => !bound.has(variable))
  const unknown = [...names].find((each) => !given.includes(each))
  const missing = given.find((each) => !names.has(each))
  if (unknown !== undefined)
    problems.add('TOOL_SUMMARY', place, `The summary of ${name} has {${unknown}}, which is no argument of a call.`)
  if (missing !== undefined) problems.add('TOOL_SUMMARY', place, `The summary of ${name} does not show {${missing}}.`)
  if (/[{}]/.test(summary.replaceAll(/\{[^{}]*\}/g, '')))
    problems.add('TOOL_SUMMARY', place, `The summary of ${name} has a brace that belongs to no argument.`)
  return summary
}
