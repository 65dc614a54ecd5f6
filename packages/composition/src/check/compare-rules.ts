import type { AgentAccess, FieldRule, Graph, ScopeSets, SubjectRule } from '@behalf/identity'
import { defaultRule } from '../build-rules.ts'
import { compareExceptions, compareSets, setsInWords } from './compare-sets.ts'
import type { Tell } from './change.ts'

const strictness: Readonly<Record<AgentAccess, number>> = { ALLOW: 0, APPROVE: 1, DENY: 2 }

/** @param kept - coordinates that both graphs have */
export function compareRules(before: Graph, after: Graph, kept: ReadonlySet<string>, tell: Tell): void {
  for (const at of new Set([...Object.keys(before.rules), ...Object.keys(after.rules)])) {
    if (!kept.has(at)) continue
    const [old, current] = [before.rules[at] ?? defaultRule, after.rules[at] ?? defaultRule]
    if (needsUser(old) && !needsUser(current))
      tell('LOOSENED', 'AUTHENTICATION', at, `${at} can be asked for without signing in.`)
    if (!needsUser(old) && needsUser(current) && current.scopes.length === 0)
      tell('BREAKING', 'AUTHENTICATION', at, `${at} can no longer be asked for without signing in.`)
    tellSets('SCOPES', 'scopes', at, old.scopes, current.scopes, tell)
    tellSets('POLICIES', 'policies', at, old.policies, current.policies, tell)
    if (old.agent !== current.agent) {
      const level = strictness[current.agent] < strictness[old.agent] ? 'LOOSENED' : 'BREAKING'
      tell(level, 'AGENT_ACCESS', at, `${at} is @agent(access: ${current.agent}), and was ${old.agent}.`)
    }
    compareTickets(at, old, current, tell)
  }
}

/** Whoever is given a ticket can start an agent, or prove a decision. */
function compareTickets(at: string, old: FieldRule, current: FieldRule, tell: Tell): void {
  const starts = ({ delegates }: FieldRule) =>
    delegates === null ? null : `the agent ${delegates.agent} in ${delegates.subgraph}`
  const [before, now] = [starts(old), starts(current)]
  if (now !== null && now !== before)
    tell('LOOSENED', 'DELEGATES', at, `${at} starts ${now}${before === null ? '' : `, and started ${before}`}.`)
  else if (now !== before) tell('BREAKING', 'DELEGATES', at, `${at} no longer starts ${before}.`)
  if (current.approves !== null && current.approves !== old.approves)
    tell('LOOSENED', 'APPROVES', at, `By ${at} people now decide what agents may do, in ${current.approves}.`)
  else if (current.approves !== old.approves)
    tell('BREAKING', 'APPROVES', at, `By ${at} people no longer decide what agents may do.`)
}

/** Nobody has scopes without having signed in. */
const needsUser = ({ authenticated, scopes }: FieldRule) => authenticated || scopes.length > 0

function tellSets(
  code: 'SCOPES' | 'POLICIES',
  what: string,
  at: string,
  before: ScopeSets,
  after: ScopeSets,
  tell: Tell,
): void {
  const change = compareSets(before, after)
  if (change === null) return
  const message = `${at} asks for ${setsInWords(what, after)}, and asked for ${setsInWords(what, before)}.`
  if (change.admitsMore) tell('LOOSENED', code, at, message)
  else tell('BREAKING', code, at, message)
}

/** Who may be named in an argument or input field (`@subject`). All rules of one hold together. */
export function compareSubjects(before: Graph, after: Graph, kept: ReadonlySet<string>, tell: Tell): void {
  for (const at of new Set([...Object.keys(before.subjects), ...Object.keys(after.subjects)])) {
    if (!kept.has(at)) continue
    const [old, current] = [before.subjects[at] ?? [], after.subjects[at] ?? []]
    for (const rule of old)
      if (!current.some((other) => isAsStrict(other, rule)))
        tell('LOOSENED', 'SUBJECT', at, `${at} no longer has to be the caller's ${inWords(rule)}.`)
    for (const rule of current)
      if (!old.some((other) => isAsStrict(other, rule)))
        tell('BREAKING', 'SUBJECT', at, `${at} now has to be the caller's ${inWords(rule)}.`)
  }
}

/** `unless` lets people with those scopes name others. */
const isAsStrict = (rule: SubjectRule, than: SubjectRule) =>
  rule.claim === than.claim && compareExceptions(than.unless, rule.unless)?.admitsMore !== true

const inWords = ({ claim, unless }: SubjectRule) =>
  `${claim === 'sub' ? 'own id' : claim}${unless.length === 0 ? '' : `, unless they have ${setsInWords('scopes', unless)}`}`
