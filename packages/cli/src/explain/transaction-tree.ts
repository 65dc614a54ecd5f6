import type { StoredAuditEvent } from '@behalf/postgres'
import { branchOf, callerOf, headOf, hopsOf, isEnd, isFirst } from './describe-event.ts'
import { type Branch, leaf } from './render-tree.ts'

/** A transaction, with those that it led to beneath it. Each is shown once, whatever its events say of its parents. */
export function transactionTree(events: readonly StoredAuditEvent[], txn: string): Branch {
  const shown = new Set<string | null>([txn])
  return transactionOf(events, txn, shown)
}

function transactionOf(events: readonly StoredAuditEvent[], txn: string, shown: Set<string | null>): Branch {
  const own = events.filter((event) => event.txn === txn)
  const end = own.find(isEnd)
  // That a delegation was used is said by what was done with it.
  const decisions = own.filter((event) => event !== end && !isUse(event))
  const led = events.filter((event) => event.parent === txn && !shown.has(event.txn))
  const children = new Set(led.flatMap((event) => (event.txn === null ? [] : [event.txn])))
  for (const child of children) shown.add(child)
  const { parent = null } = end ?? {}
  return {
    text: end ? headOf(end) : `transaction  ${txn}  whose end is not recorded`,
    branches: [
      ...(end ? callerOf(end) : []),
      ...(parent === null || shown.has(parent) ? [] : [leaf(`part of ${parent}`)]),
      ...decisions.filter(isFirst).map(branchOf),
      ...(end ? hopsOf(end) : []),
      ...decisions.filter((event) => !isFirst(event)).map(branchOf),
      ...led.filter((event) => event.txn === null).map(branchOf),
      ...Array.from(children, (child) => transactionOf(events, child, shown)),
    ],
  }
}

const isUse = ({ what, outcome }: StoredAuditEvent) => what === 'delegation.used' && outcome === 'OK'
