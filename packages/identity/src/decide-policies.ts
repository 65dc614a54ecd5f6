import { isDeepStrictEqual } from 'node:util'
import type { ScopeSets } from './directives.ts'
import { readErrorDetails } from './error-details.ts'
import { type Policies, policyOf, type PolicyRequest, type StepUp } from './policy.ts'
import { anonymousSubject, type Caller } from './principal.ts'
import { createRefusal, type Refusal } from './refusal.ts'
import { policyText } from './scope-sets.ts'

/** The policies of one request: decided when they are asked for, and remembered no longer than the request. */
export interface PolicyDecisions {
  /**
   * Decides a rule. Each policy is asked at most once for the same coordinate and arguments.
   *
   * @param sets - outer lists are OR, inner lists AND, as in Federation; none at all asks nothing.
   * @returns null where the caller may pass.
   */
  decide(sets: ScopeSets, coordinate: string, given: Readonly<Record<string, unknown>>): Promise<Refusal | null>
}

/** `cause`: why it could not be decided. */
type Verdict =
  | { readonly kind: 'passes' }
  | { readonly kind: 'steps up'; readonly stepUp: StepUp }
  | { readonly kind: 'denied'; readonly cause?: Error }

/** Milliseconds in which a policy has to answer: it denies otherwise. */
export const policyTimeout = 5000

export function createPolicyDecisions(policies: Policies, caller: Caller): PolicyDecisions {
  const known = new Map<string, { readonly given: unknown; readonly verdict: Promise<Verdict> }[]>()

  function verdictOf(name: string, coordinate: string, given: PolicyRequest['arguments']): Promise<Verdict> {
    const key = `${coordinate} ${name}`
    const earlier = known.get(key) ?? []
    const same = earlier.find((each) => isDeepStrictEqual(each.given, given))
    if (same) return same.verdict
    const verdict = ask(policies, name, { caller, coordinate, arguments: given })
    known.set(key, [...earlier, { given, verdict }])
    return verdict
  }

  async function together(
    set: readonly string[],
    coordinate: string,
    given: PolicyRequest['arguments'],
  ): Promise<Verdict> {
    const stepUps: StepUp[] = []
    for (const name of set) {
      const verdict = await verdictOf(name, coordinate, given)
      if (verdict.kind === 'denied') return verdict
      if (verdict.kind === 'steps up') stepUps.push(verdict.stepUp)
    }
    if (set.length === 0) return { kind: 'denied' }
    if (stepUps.length === 0) return { kind: 'passes' }
    const stepUp = stepUps.reduce(both)
    return stepUp.acrValues?.length === 0 ? { kind: 'denied' } : { kind: 'steps up', stepUp }
  }

  return {
    async decide(sets, coordinate, given) {
      if (sets.length === 0) return null
      const values = plain(given) as PolicyRequest['arguments']
      const rule = policyText(sets)
      let stepUp: StepUp | null = null
      let cause: Error | undefined
      for (const set of sets) {
        const verdict = await together(set, coordinate, values)
        if (verdict.kind === 'passes') return null
        if (verdict.kind === 'steps up') stepUp ??= verdict.stepUp
        else cause ??= verdict.cause
      }
      const reason = cause && { cause }
      if (stepUp === null) return createRefusal('UNAUTHORIZED_FIELD_OR_TYPE', rule, reason)
      // Who did not sign in at all is not asked to do so more strongly.
      if (caller.subject === anonymousSubject) return createRefusal('UNAUTHENTICATED', rule, reason)
      return createRefusal('STEP_UP_REQUIRED', rule, { details: stepUp, ...reason })
    },
  }
}

async function ask(policies: Policies, name: string, request: PolicyRequest): Promise<Verdict> {
  const fails = (why: string, cause?: unknown): Verdict => ({
    kind: 'denied',
    cause: new Error(`policy "${name}" of ${request.coordinate} ${why}`, { cause }),
  })
  const policy = policyOf(policies, name)
  if (policy === null) return fails('was not given')
  try {
    const decision: unknown = await inTime(policy(request))
    if (decision === true) return { kind: 'passes' }
    if (decision === false) return { kind: 'denied' }
    const stepUp = readStepUp(decision)
    return stepUp ? { kind: 'steps up', stepUp } : fails('decided neither true nor false')
  } catch (cause) {
    return fails('failed', cause)
  }
}

async function inTime<T>(value: T | Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new Error(`no decision in ${policyTimeout} ms`)), policyTimeout)
  try {
    return await Promise.race([value, late.promise])
  } finally {
    clearTimeout(timer)
  }
}

/** Null for whatever is not exactly one: half of it would ask for less than the policy means. */
function readStepUp(decision: unknown): StepUp | null {
  if (typeof decision !== 'object' || decision === null) return null
  const { acrValues, maxAge } = readErrorDetails(decision)
  const stepUp: StepUp = { ...(acrValues && { acrValues }), ...(maxAge !== undefined && { maxAge }) }
  const names = Object.keys(decision)
  return names.length > 0 && names.every((name) => Object.hasOwn(stepUp, name)) ? stepUp : null
}

/** What both ask for; where no way to sign in would do for both, none is left. */
function both(one: StepUp, other: StepUp): StepUp {
  const acrValues =
    one.acrValues && other.acrValues
      ? one.acrValues.filter((value) => other.acrValues?.includes(value))
      : (one.acrValues ?? other.acrValues)
  const ages = [one.maxAge, other.maxAge].filter((age) => age !== undefined)
  return { ...(acrValues && { acrValues }), ...(ages.length > 0 && { maxAge: Math.min(...ages) }) }
}

/** A frozen copy, however objects came to be (GraphQL's have no prototype, or one), so that equal ones are equal. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return Object.freeze(value.map(plain))
  if (typeof value !== 'object' || value === null) return value
  const prototype: unknown = Object.getPrototypeOf(value)
  // Of a scalar of the schema, such as a Date: as it is.
  if (prototype !== null && prototype !== Object.prototype) return value
  return Object.freeze(Object.fromEntries(Object.entries(value).map(([name, item]) => [name, plain(item)])))
}
