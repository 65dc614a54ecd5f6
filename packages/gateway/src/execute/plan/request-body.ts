import type { FetchNode } from '@apollo/query-planner'

/** Whether a variable is one that plans make up; none of a client's is called so, see `preparePlanning`. */
export const isPlanned = (name: string) => /^(representations$|contextualArgument_)/.test(name)

/** Text of a variable in a request's JSON: its name, a colon and its value. */
export const encodeVariable = (name: string, value: string) => `${JSON.stringify(name)}:${value}`

/**
 * Makes the JSON of a fetch's requests: all but the values of variables is encoded before.
 *
 * @param variables - as the client sent them.
 * @param own - variables of the plan's own, encoded.
 */
export type EncodeBody = (variables: Readonly<Record<string, unknown>>, own?: readonly string[]) => string

export function prepareBody(
  { operation, operationName, variableUsages = [] }: FetchNode,
  variableOf: (name: string) => string,
): EncodeBody {
  const start = `${JSON.stringify({ query: operation, operationName }).slice(0, -1)},"variables":{`
  const used = variableUsages
    .filter((name) => !isPlanned(name))
    .map((name) => ({ client: variableOf(name), prefix: encodeVariable(name, '') }))
  if (used.length === 0) return (_variables, own = []) => `${start}${own.join(',')}}}`
  return (variables, own = []) => {
    const members = [...own]
    for (const { client, prefix } of used) {
      const value = Object.hasOwn(variables, client) ? JSON.stringify(variables[client]) : undefined
      if (value !== undefined) members.push(prefix + value)
    }
    return `${start}${members.join(',')}}}`
  }
}
