interface SyntaxNode {
  readonly type: string
  readonly [property: string]: unknown
}

interface Mutator {
  readonly name: string
  mutate(path: { readonly node: SyntaxNode; readonly parent: SyntaxNode; readonly key: unknown }): Iterable<SyntaxNode>
}

/**
 * What Stryker leaves out and a guard is made of: a `throw`, the condition of `a ? b : c`, one side of `a && b`,
 * `a || b` or `a ?? b`. Conditions and operands that are comparisons are Stryker's own (ConditionalExpression).
 */
const extraMutators: readonly Mutator[] = [
  {
    name: 'Throw',
    *mutate({ node }) {
      if (node.type === 'ThrowStatement') yield { type: 'EmptyStatement' }
    },
  },
  {
    name: 'Condition',
    *mutate({ node, parent, key }) {
      if (parent.type !== 'ConditionalExpression' || key !== 'test' || isStrykers(node)) return
      yield { type: 'BooleanLiteral', value: true }
      yield { type: 'BooleanLiteral', value: false }
    },
  },
  {
    name: 'Operand',
    *mutate({ node }) {
      if (node.type !== 'LogicalExpression') return
      const left = node['left'] as SyntaxNode
      const right = node['right'] as SyntaxNode
      const always = node['operator'] === '??'
      if (always || !isStrykers(left)) yield structuredClone(right)
      if (always || !isStrykers(right)) yield structuredClone(left)
    },
  },
]

/** Comparisons, and what is joined of them: Stryker makes these true and false wherever they stand. */
function isStrykers({ type, operator }: SyntaxNode): boolean {
  if (type === 'LogicalExpression') return operator !== '??'
  return type === 'BinaryExpression' && /^(?:[!=]==?|[<>]=?)$/.test(String(operator))
}

/**
 * Adds them to Stryker's own, for this process. Stryker has no plugins for mutators: its list is reached by its path,
 * at the version that package.json pins. `mutants.test.ts` sees that they act.
 */
export async function addExtraMutators(): Promise<void> {
  const list = new URL('mutators/mutate.js', import.meta.resolve('@stryker-mutator/instrumenter'))
  const { allMutators } = (await import(list.href)) as { allMutators: Mutator[] }
  for (const mutator of extraMutators) if (!allMutators.includes(mutator)) allMutators.push(mutator)
}
