import type { DeclaredRule, ErrorCode } from '@behalf/identity'
import { objectTypes, rulesOf } from '../explore/declared-rules.ts'
import { type SubjectPlace, subjectsOf } from '../explore/fill-arguments.ts'
import { type Probe, reachFields, valuesAt } from '../explore/reach-fields.ts'
import { isObject } from '../explore/walk-answer.ts'
import type { TestAnswer, TestCaller } from '../test-caller.ts'
import { type Attack, Breach, type Target, watch } from './attack.ts'

/** One field, and what is asked of its callers. */
interface Case extends Probe {
  readonly rules: readonly DeclaredRule[]
}

/** A caller who must not pass, and what they ask; `as` says who that is. */
interface Attempt {
  readonly as: string
  readonly caller: TestCaller
  readonly operation?: string
}

interface RuleAttack extends Omit<Attack, 'withstand' | 'applies'> {
  readonly code: ErrorCode
  /** Whether the rule is asked of a field's callers. */
  readonly asks: (rules: readonly DeclaredRule[], probe: Pick<Probe, 'field' | 'isMutation'>) => boolean
  readonly attempts: (target: Target, probe: Case) => readonly Attempt[]
  /** Who passes. Default: `mine`, a person with every scope. */
  readonly twin?: (target: Target, probe: Case) => TestCaller
}

/**
 * Every field that carries the rule is asked for alone. It has to be null with an error of this code, there or where
 * the way to it is barred, and nothing may change in the database. The twin is not refused with that code.
 */
function ruleAttack({ asks, attempts, twin = everyScope, ...attack }: RuleAttack): Attack {
  return {
    ...attack,
    applies: (schema) =>
      objectTypes(schema).some((type) =>
        Object.values(type.getFields()).some((field) =>
          asks(rulesOf(schema, type, field), { field, isMutation: type === schema.getMutationType() }),
        ),
      ),
    async withstand(target) {
      for (const probe of casesOf(target).filter((each) => asks(each.rules, each))) {
        const { coordinate, path } = probe
        const allowed = await twin(target, probe).run(probe.operation())
        if (refusalOf(allowed, path) === attack.code)
          throw new Breach(`${coordinate} is refused to those who may: ${JSON.stringify(allowed)}`)
        if (!probe.isMutation && !valuesAt(allowed.data, path.slice(0, -1)).some(isObject))
          throw new Breach(
            `${coordinate} could not be reached as ${target.mine.as().subject}: let \`prepare\` make rows.`,
          )

        const hasChanged = await watch(target)
        for (const { as, caller, operation = probe.operation() } of attempts(target, probe)) {
          const answer = await caller.run(operation)
          if (!(isRefused(answer, probe, attack.code) && isEmpty(answer, path)))
            throw new Breach(`${coordinate} should be refused with ${attack.code} to ${as}: ${JSON.stringify(answer)}`)
          if (await hasChanged()) throw new Breach(`${coordinate} was refused to ${as}, and executed all the same.`)
        }
      }
    },
  }
}

const casesOf = (target: Target): Case[] =>
  reachFields(target.schema, everyScope(target), target.explored).map((probe) => ({
    ...probe,
    rules: rulesOf(target.schema, probe.type, probe.field),
  }))

/** A person who holds whatever there is. */
const everyScope = ({ mine, scopes }: Target) => mine.as({ scopes })
const agentOf = (caller: TestCaller) => caller.agent({ tool: 'attack' })

/** With the code; or not at all, where what it would be a field of is not the caller's, and so is not there for them. */
function isRefused(answer: TestAnswer, { isMutation, path }: Case, code: ErrorCode): boolean {
  if (refusalOf(answer, path) === code) return true
  const isThere = isMutation || valuesAt(answer.data, path.slice(0, -1)).some(isObject)
  return !isThere && answer.errors.length === 0 && answer.status === 200
}

const isEmpty = ({ data }: TestAnswer, path: readonly string[]) =>
  valuesAt(data, path).every((value) => value === null || value === undefined)

/** The code with which a field was refused, or something on the way to it. */
function refusalOf({ errors }: TestAnswer, path: readonly string[]): string | undefined {
  return errors.find(({ path: at = [] }) =>
    at.filter((step) => typeof step === 'string').every((step, index) => step === path[index]),
  )?.extensions.code
}

const scopeSets = (rules: readonly DeclaredRule[]) =>
  rules.map(({ scopes }) => scopes).filter((sets) => sets.length > 0)
/** A policy may refuse whatever the caller holds. */
const isUndecided = (rules: readonly DeclaredRule[]) => rules.some(({ policies }) => policies.length > 0)
const asksForUser = (rules: readonly DeclaredRule[]) =>
  rules.some(({ authenticated, scopes }) => authenticated || scopes.length > 0)
const isDenied = (rules: readonly DeclaredRule[]) => rules.some(({ agent }) => agent === 'DENY')

/** Callers for whom one of the rules is not met: they hold no scope of it, or lack one of each of its sets. */
function lacking({ mine, scopes }: Target, { rules }: Case): Attempt[] {
  return scopeSets(rules).flatMap((sets) => {
    const without = (taken: readonly (string | undefined)[]) => {
      const held = scopes.filter((scope) => !taken.includes(scope))
      return { as: `a caller with no more than ${held.join(' ') || 'no scope'}`, caller: mine.as({ scopes: held }) }
    }
    return [without(sets.flat()), without(sets.map(([first]) => first)), without(sets.map((set) => set.at(-1)))]
  })
}

/** Who may not name this other principal: a person without `unless`, and an agent with every scope. */
function strangersTo({ mine, scopes }: Target, { unless }: SubjectPlace, { rules, field }: Case): Attempt[] {
  const held = scopes.filter((scope) => !unless.flat().includes(scope))
  const mayAsk = scopeSets(rules).every((sets) => sets.some((set) => set.every((scope) => held.includes(scope))))
  return [
    ...(mayAsk ? [{ as: 'a person', caller: mine.as({ scopes: held }) }] : []),
    ...(isDenied(rules) ? [] : [{ as: 'an agent', caller: agentOf(mine.as({ scopes })).approved(field.name) }]),
  ]
}

/** What the schema asks of callers, taken from it. */
export const ruleAttacks: readonly Attack[] = [
  ruleAttack({
    name: 'a caller without a credential',
    promise: 'P6',
    code: 'UNAUTHENTICATED',
    about: 'asks for each field with `@authenticated` or `@requiresScopes`, and for each mutation',
    asks: (rules, { isMutation }) => isMutation || asksForUser(rules),
    attempts: ({ anonymous }) => [
      { as: 'nobody', caller: anonymous() },
      { as: 'an agent of nobody', caller: agentOf(anonymous()) },
    ],
  }),
  ruleAttack({
    name: 'a scope removed',
    promise: 'P6',
    code: 'UNAUTHORIZED_FIELD_OR_TYPE',
    about:
      'each field with `@requiresScopes`, of its own or of its types, without these scopes, and without one of each set',
    asks: (rules) => scopeSets(rules).length > 0 && !isUndecided(rules),
    attempts: lacking,
  }),
  ruleAttack({
    name: 'an agent where only people may be',
    promise: 'P8',
    code: 'AGENT_DENIED',
    about: 'each field with `@agent(access: DENY)`, with every scope and with an approval',
    asks: isDenied,
    attempts: (target, { field }) => [
      { as: 'an agent', caller: agentOf(everyScope(target)) },
      { as: 'an agent with an approval', caller: agentOf(everyScope(target)).approved(field.name) },
    ],
  }),
  ruleAttack({
    name: 'an agent without approval',
    promise: 'P8',
    code: 'APPROVAL_REQUIRED',
    about: 'each mutation that needs one, without any and with that of another field',
    asks: (rules) => !isDenied(rules) && rules.some(({ agent }) => agent === 'APPROVE'),
    twin: (target, { field }) => agentOf(everyScope(target)).approved(field.name),
    attempts: (target) => [
      { as: 'an agent', caller: agentOf(everyScope(target)) },
      { as: "an agent with another field's approval", caller: agentOf(everyScope(target)).approved('another') },
    ],
  }),
  ruleAttack({
    name: 'an unbound subject',
    promise: 'P3',
    code: 'UNAUTHORIZED_FIELD_OR_TYPE',
    about: "each argument with `@subject`, with somebody else's name in it",
    asks: (rules, { field }) => subjectsOf(field).length > 0 && !isUndecided(rules),
    attempts: (target, probe) =>
      subjectsOf(probe.field).flatMap((place) => {
        const other = target.theirs.as().subject
        const operation = probe.operation(({ path, claim }) =>
          path === place.path ? (claim === 'tenant' ? 'elsewhere' : other) : undefined,
        )
        return strangersTo(target, place, probe).map((attempt) => ({ ...attempt, operation }))
      }),
  }),
]
