import type { StoredAuditEvent } from '@behalf/postgres'
import { headOf, isEnd, lineOf, partsOf } from './describe-event.ts'
import { type Branch, leaf } from './render-tree.ts'

/** A transaction, with those that it led to beneath it. Each is shown once, whatever its events say of its parents. */
export function transactionTree(events: readonly StoredAuditEvent[], txn: string): Branch {
  const shown = new Set<string | null>([txn])
  return branchOf(events, txn, shown)
}

function branchOf(events: readonly StoredAuditEvent[], txn: string, shown: Set<string | null>): Branch {
  const own = events.filter((event) => event.txn === txn)
  const end = own.find(isEnd)
  const led = events.filter((event) => event.parent === txn && !shown.has(event.txn))
  const children = new Set(led.flatMap((event) => (event.txn === null ? [] : [event.txn])))
  for (const child of children) shown.add(child)
  const { parent = null } = end ?? {}
  return {
    text: end ? headOf(end) : `transaction  ${txn}  whose end is not recorded`,
    branches: [
      ...(end ? partsOf(end) : []),
      ...(parent === null || shown.has(parent) ? [] : [leaf(`part of ${parent}`)]),
      // That a delegation was used is said by what was done with it.
      ...own.filter((event) => event !== end && !isUse(event)).map((event) => leaf(lineOf(event))),
      ...led.filter((event) => event.txn === null).map((event) => leaf(lineOf(event))),
      ...Array.from(children, (child) => branchOf(events, child, shown)),
    ],
  }
}

const isUse = ({ what, outcome }: StoredAuditEvent) => what === 'delegation.used' && outcome === 'OK'
