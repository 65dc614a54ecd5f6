import {
  type Caller,
  type ErrorCode,
  type Facts,
  missingScopes,
  type OperationType,
  type ScopeSets,
} from '@behalf/identity'
import type { OperationDefinitionNode } from 'graphql'
import type { Denial } from '../authorize/denial.ts'

/** One request to a subgraph: what it was told of the caller, and what became of it. */
export interface Hop {
  readonly to: string
  readonly operation: OperationType
  readonly facts: Facts
  readonly scopes: readonly string[]
  /** Whether it was given the means to start an agent. */
  readonly ticket: boolean
  readonly outcome: 'OK' | ErrorCode
  /** Codes of errors in what was answered. */
  readonly errors: readonly ErrorCode[]
  readonly ms: number
}

/** A field that was withheld, and why; of alternatives, `missing` has what the caller lacks of each. */
interface RecordedDenial extends Pick<Denial, 'coordinate' | 'code' | 'rule'> {
  readonly missing: ScopeSets
}

/** One request has only so many hops, and as many denials, with a place of their own; the others are counted. */
const maxListed = 50
const maxName = 128

/** Gathers what is decided during one request, or one tool call; written down when it is over. */
export class RequestRecord {
  readonly txn: string
  readonly time = new Date()
  readonly #begun = performance.now()
  readonly hops: Hop[] = []
  #denials: Map<string, RecordedDenial> | null = null
  unlistedHops = 0
  unlistedDenials = 0
  operation: { readonly type: OperationType; readonly name: string | null } | null = null
  /** Of the operation, as limits count it; null while it is unknown. */
  cost: number | null = null
  /** Why nothing was executed; null if something was. */
  refusal: string | null = null

  constructor(txn: string) {
    this.txn = txn
  }

  get denials(): readonly RecordedDenial[] {
    return this.#denials === null ? [] : [...this.#denials.values()]
  }

  get durationMs(): number {
    return performance.now() - this.#begun
  }

  /** @param definition - the operation that is run, of a document that was parsed. */
  resolved({ operation, name }: OperationDefinitionNode): void {
    this.operation = { type: operation, name: name?.value.slice(0, maxName) ?? null }
  }

  hop(hop: Hop): void {
    if (this.hops.length < maxListed) this.hops.push(hop)
    else this.unlistedHops++
  }

  /** Each coordinate once for each reason. */
  denied(denials: readonly Denial[], caller: Pick<Caller, 'scopes'>): void {
    const known = (this.#denials ??= new Map())
    for (const { coordinate, code, rule, details } of denials) {
      const key = `${coordinate} ${code}`
      if (known.has(key)) continue
      if (known.size >= maxListed) {
        this.unlistedDenials++
        continue
      }
      const missing = missingScopes(caller, details.requiredScopes ?? [])
      known.set(key, { coordinate, code, rule, missing })
    }
  }
}
