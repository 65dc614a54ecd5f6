import {
  createPolicyDecisions,
  type Identity,
  type Policies,
  type PolicyDecisions,
  RefusalError,
} from '@behalf/identity'
import type { DeclaredAt, FieldRules } from './enforce-rules.ts'

type Arguments = Readonly<Record<string, unknown>>

/** Lets a caller pass who asks with these arguments, or throws an {@link AppError}. */
export type PolicyGuard = (identity: Identity, given: Arguments) => Promise<void>

/** Makes guards of `@policy`. An identity is of one request, and so is what was decided about it. */
export function createPolicyGuards(policies: Policies): (rules: Partial<FieldRules>) => PolicyGuard | null {
  const decided = new WeakMap<Identity, PolicyDecisions>()
  function decisionsFor(identity: Identity): PolicyDecisions {
    const decisions = decided.get(identity) ?? createPolicyDecisions(policies, identity)
    decided.set(identity, decisions)
    return decisions
  }

  /** @returns null where no policy is asked for. */
  return ({ ofField = [], ofTypes = [] }) => {
    const own = ofField.filter(hasPolicies)
    const types = ofTypes.filter(hasPolicies)
    if (own.length + types.length === 0) return null
    return async (identity, given) => {
      const decisions = decisionsFor(identity)
      const require = async ({ coordinate, rule }: DeclaredAt, values: Arguments) => {
        const refusal = await decisions.decide(rule.policies, coordinate, values)
        if (refusal) throw new RefusalError(refusal, coordinate)
      }
      for (const each of own) await require(each, given)
      for (const each of types) await require(each, {})
    }
  }
}

const hasPolicies = ({ rule }: DeclaredAt) => rule.policies.length > 0
