import {
  type Approval,
  createPolicyDecisions,
  type FieldRule,
  type Graph,
  type Policies,
  type Principal,
  type Refusal,
  refusalOf,
} from '@behalf/identity'
import { buildSchema, type DocumentNode, getVariableValues, type GraphQLSchema, Kind, printSchema } from 'graphql'
import { LRUCache } from 'lru-cache'
import { type Authorization, createAuthorization, unusableVariables, type Variables } from './authorization.ts'
import { withoutArguments } from './complete-answer.ts'
import { createDeniablePlaces, type DeniablePlace } from './deniable-place.ts'
import { type Decide, filterOperation, operationOf } from './filter-operation.ts'
import { readRules } from './requirement.ts'

export interface AuthorizeRequest {
  /** Of the document's text; `document` is what that text says, and validates. */
  readonly hash: string
  readonly document: DocumentNode
  readonly operationName: string | null
  /** As the client gave them. */
  readonly variables: Variables
  readonly principal: Principal
  /** The user's, of this operation. */
  readonly approval?: Approval | null
}

/**
 * Decides what of an operation a caller may have executed, before anything is planned. Null: all of it, as it is. A
 * promise only where policies or arguments are part of the decision.
 */
export type Authorize = (request: AuthorizeRequest) => Authorization | null | Promise<Authorization | null>

/** What is known of an operation, whoever asks and with which variables. */
interface Operation {
  /** Where fields of it are decided one by one: other copies of the same text have other nodes. */
  readonly document: DocumentNode | null
  readonly rules: readonly FieldRule[]
  readonly places: readonly DeniablePlace[]
}

/** What is decided of an operation by rules alone: the same for all callers who meet the same rules. */
interface Decided {
  /** Whose nodes `places` are: of another, they would be decided and never be found. */
  readonly operation: Operation
  readonly authorization: Authorization | null
  /** What is left to be decided. */
  readonly places: readonly DeniablePlace[]
  readonly refusals: ReadonlyMap<FieldRule, Refusal>
}

/**
 * An operation's distinct requirements are read once. What rules leave of it depends on which of them are met, and on
 * nothing else of the caller: that is kept. What policies and arguments decide is decided for each request on top of
 * it, and kept nowhere.
 */
export function createAuthorize(options: {
  readonly schema: GraphQLSchema
  readonly rules: Readonly<Record<string, FieldRule>>
  readonly subjects?: Graph['subjects']
  readonly policies?: Policies
}): Authorize {
  const { subjects = {}, policies = {} } = options
  // A gateway's schema has resolvers of its own, which would answer in place of those of `completeAnswer`.
  const sdl = printSchema(options.schema)
  const schema = buildSchema(sdl, { assumeValid: true })
  const schemas = { schema, answers: withoutArguments(sdl) }
  const requirementOf = readRules(options.rules)
  const deniablePlaces = createDeniablePlaces(schema, requirementOf, subjects)
  const operations = new LRUCache<string, Operation>({ max: 5000, maxSize: 5_000_000 })
  const decisions = new LRUCache<string, Decided>({ max: 1000, maxSize: 1_000_000 })

  /** The last of each document: what is put together anew has to be hashed anew. */
  const keys = new WeakMap<DocumentNode, Pick<AuthorizeRequest, 'hash' | 'operationName'> & { readonly key: string }>()
  function keyOf({ document, hash, operationName }: AuthorizeRequest): string {
    const known = keys.get(document)
    if (known?.hash === hash && known.operationName === operationName) return known.key
    const key = `${hash} ${operationName ?? ''}`
    keys.set(document, { hash, operationName, key })
    return key
  }

  /** @param decidePlace - for what rules do not refuse. */
  function decideBy(
    decideRule: (rule: FieldRule) => Refusal | null | undefined,
    decidePlace: (place: DeniablePlace) => Refusal | null,
  ): Decide {
    const decide = (coordinate: string, placeOf: () => DeniablePlace | null) => {
      const { rule } = requirementOf(coordinate)
      const refusal = rule && decideRule(rule)
      if (refusal) return refusal
      const place = placeOf()
      return place && decidePlace(place)
    }
    return {
      field: (node, parent) => decide(`${parent.name}.${node.name.value}`, () => deniablePlaces.ofField(node, parent)),
      type: (type) => decide(type.name, () => deniablePlaces.ofType(type)),
    }
  }

  function readOperation(key: string, document: DocumentNode, operationName: string | null): Operation {
    const known = operations.get(key)
    if (known) return known
    const rules = new Set<FieldRule>()
    const places = new Map<DeniablePlace['at'], DeniablePlace>()
    const decide = decideBy(
      (rule) => (rules.add(rule), null),
      (place) => (places.set(place.at, place), null),
    )
    filterOperation({ schema, document, operationName, decide })
    const kept = places.size > 0 ? document : null
    const operation = { document: kept, rules: [...rules], places: [...places.values()] }
    const weight = kept ? 5 * (document.loc?.end ?? 0) : 0
    operations.set(key, operation, { size: key.length + rules.size + weight + 1 })
    return operation
  }

  function decideByRules(
    key: string,
    operation: Operation,
    { document, operationName, principal, approval = null }: AuthorizeRequest,
  ): Decided {
    const isApproved = approval !== null && onlyAsks(document, operationName, approval.field)
    const refusals = new Map<FieldRule, Refusal>()
    let met = ''
    for (const rule of operation.rules) {
      const refusal = refusalOf(rule, principal, isApproved)
      if (refusal) refusals.set(rule, refusal)
      met += refusal ? letters[refusal.code] : '+'
    }
    if (refusals.size === 0) return { operation, authorization: null, places: operation.places, refusals }
    const decidedKey = `${key} ${met}`
    const known = decisions.get(decidedKey)
    if (known?.operation === operation) return known
    const reached = new Map<DeniablePlace['at'], DeniablePlace>()
    const decide = decideBy(
      (rule) => refusals.get(rule),
      (place) => (reached.set(place.at, place), null),
    )
    const authorization = createAuthorization(schemas, document, operationName, decide)
    const decided = { operation, authorization, places: [...reached.values()], refusals }
    const size = decidedKey.length + (document.loc?.end ?? 0) + (authorization.allowed?.source.length ?? 0) + 1
    decisions.set(decidedKey, decided, { size })
    return decided
  }

  async function decideByRequest(
    { authorization, places, refusals }: Decided,
    { document, operationName, principal, variables: rawVariables }: AuthorizeRequest,
  ): Promise<Authorization | null> {
    const { variableDefinitions = [] } = operationOf(document, operationName)
    const { errors, coerced: variables } = getVariableValues(schema, variableDefinitions, rawVariables)
    if (errors) return unusableVariables(errors)
    const policyDecisions = createPolicyDecisions(policies, principal)
    const refused = new Map<DeniablePlace['at'], Refusal>()
    const decideOne = async (place: DeniablePlace) => {
      const refusal = await place.decide(principal, variables, policyDecisions)
      if (refusal) refused.set(place.at, refusal)
    }
    await Promise.all(places.map(decideOne))
    if (refused.size === 0) return authorization
    const decide = decideBy(
      (rule) => refusals.get(rule),
      ({ at }) => refused.get(at) ?? null,
    )
    return createAuthorization(schemas, document, operationName, decide)
  }

  return (given) => {
    const key = keyOf(given)
    const operation = readOperation(key, given.document, given.operationName)
    const request = operation.document ? { ...given, document: operation.document } : given
    const decided = decideByRules(key, operation, request)
    return decided.places.length === 0 ? decided.authorization : decideByRequest(decided, request)
  }
}

/** Equal rules are one: so a whole operation is approved, or nothing of it, and it has one field. */
const onlyAsks = (document: DocumentNode, operationName: string | null, field: string) =>
  operationOf(document, operationName).selectionSet.selections.every(
    (selection) => selection.kind === Kind.FIELD && selection.name.value === field,
  )

/** By which it is known, together with the rule, what a caller is told. */
const letters: Readonly<Record<Refusal['code'], string>> = {
  UNAUTHENTICATED: 'a',
  UNAUTHORIZED_FIELD_OR_TYPE: 'u',
  STEP_UP_REQUIRED: 's',
  AGENT_DENIED: 'd',
  APPROVAL_REQUIRED: 'p',
  BAD_USER_INPUT: 'b',
}
