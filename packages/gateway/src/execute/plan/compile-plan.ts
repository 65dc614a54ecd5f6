import type { PlanNode, QueryPlan, SubscriptionNode } from '@apollo/query-planner'
import { compileEntityFetch } from './entity-fetch.ts'
import type { PlanPath } from './places.ts'
import { compileRootFetch } from './root-fetch.ts'
import type { EventContext, PlanParts, Run, Step, Subgraph } from './run.ts'

/** Compiles a plan, once for all its executions; null for one that asks nothing. */
export function compilePlan({ node }: QueryPlan, parts: Omit<PlanParts, 'usesContexts'>): Step | null {
  if (node === undefined) return null
  if (node.kind === 'Subscription') throw new TypeError('A subscription is not executed as a whole.')
  return compileNode(node, [], { ...parts, usesContexts: usesContexts(node) })
}

/** What a subgraph was asked once, it answers with each event. */
const events: Subgraph = { prepare: () => async (_body, context) => (context as EventContext).event }

/** Compiles what is done with each event; steps run in an {@link EventContext}. */
export function compileSubscription({ primary, rest }: SubscriptionNode, parts: Omit<PlanParts, 'usesContexts'>): Step {
  const all = { ...parts, usesContexts: rest !== undefined && usesContexts(rest) }
  const take = compileRootFetch(primary, [], { ...all, subgraphOf: () => events })
  return rest === undefined ? take : inSequence([take, compileNode(rest, [], all)])
}

/** @param path - of the objects that are added to, from the root. */
function compileNode(node: PlanNode, path: PlanPath, parts: PlanParts): Step {
  switch (node.kind) {
    case 'Fetch':
      return node.requires ? compileEntityFetch(node, node.requires, path, parts) : compileRootFetch(node, path, parts)
    case 'Flatten':
      return compileNode(node.node, [...path, ...node.path.map(String)], parts)
    case 'Sequence':
      return inSequence(node.nodes.map((each) => compileNode(each, path, parts)))
    case 'Parallel':
      return inParallel(node.nodes.map((each) => compileNode(each, path, parts)))
    default:
      throw new TypeError(`Operations are planned without what makes a node ${node.kind}.`)
  }
}

function inSequence(steps: readonly Step[]): Step {
  return async (run) => {
    for (const step of steps) {
      const running = step(run)
      if (running) await running
    }
  }
}

function inParallel(steps: readonly Step[]): Step {
  return async (run) => {
    const running: Promise<void>[] = []
    for (const step of steps) {
      const begun = begin(step, run)
      if (begun) running.push(begun)
    }
    await Promise.all(running)
  }
}

/** Whatever a step throws, others are under way. */
function begin(step: Step, run: Run): Promise<void> | void {
  try {
    return step(run)
  } catch (error) {
    return Promise.reject(error)
  }
}

function usesContexts(node: PlanNode): boolean {
  switch (node.kind) {
    case 'Fetch':
      return (node.contextRewrites ?? []).length > 0
    case 'Flatten':
      return usesContexts(node.node)
    default:
      return 'nodes' in node && node.nodes.some(usesContexts)
  }
}
