import {
  type ASTNode,
  type DocumentNode,
  type FragmentDefinitionNode,
  Kind,
  type OperationDefinitionNode,
  visit,
} from 'graphql'

/**
 * The document of an operation with the fragments that it uses, and without the variables that it no longer does:
 * a subgraph refuses both (GraphQL 5.5.1.4, 5.8.4).
 */
export function pruneDefinitions(
  operation: OperationDefinitionNode,
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
): DocumentNode {
  const used = new Map<string, FragmentDefinitionNode>()
  const variables = new Set<string>()
  const waiting: ASTNode[] = [operation.selectionSet, ...(operation.directives ?? [])]
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    visit(node, {
      Variable: ({ name }) => void variables.add(name.value),
      FragmentSpread({ name: { value: name } }) {
        const fragment = fragments.get(name)
        if (!fragment || used.has(name)) return
        used.set(name, fragment)
        waiting.push(fragment)
      },
    })
  }
  const { variableDefinitions, ...rest } = operation
  const left = (variableDefinitions ?? []).filter(({ variable }) => variables.has(variable.name.value))
  return {
    kind: Kind.DOCUMENT,
    definitions: [{ ...rest, variableDefinitions: left }, ...used.values()],
  }
}
