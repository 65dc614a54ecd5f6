import { createHash } from 'node:crypto'
import type { FieldRule, Principal } from '@behalf/identity'
import {
  buildSchema,
  type DocumentNode,
  type ExecutionResult,
  getVariableValues,
  type GraphQLSchema,
  type OperationDefinitionNode,
  print,
  printSchema,
} from 'graphql'
import { LRUCache } from 'lru-cache'
import { completeAnswer } from './complete-answer.ts'
import type { Denial } from './denial.ts'
import { filterOperation, operationOf } from './filter-operation.ts'
import { denialOf, type DenialCode, readRules } from './requirement.ts'

/** An operation as its text: what is cached of it must not be keyed by anything less. */
export interface AuthorizedOperation {
  readonly document: DocumentNode
  readonly operation: OperationDefinitionNode
  readonly source: string
  /** Hexadecimal SHA-256 of `source`: the key for whatever is cached of this operation, plans above all. */
  readonly key: string
}

/** What is left of an operation for callers who lack something that it asks for. */
export interface Authorization {
  /** Null if nothing is left to be executed. */
  readonly allowed: AuthorizedOperation | null
  /** Why fields are gone; at most 100. */
  readonly denials: readonly Denial[]
  /** Runs what is allowed, if anything is, and puts null with its reason where something is not. */
  answer(
    variables: Readonly<Record<string, unknown>>,
    run: (operation: AuthorizedOperation, variables: Record<string, unknown>) => Promise<ExecutionResult>,
  ): Promise<ExecutionResult>
}

/**
 * Decides what of an operation a caller may have executed, before anything is planned. Null: all of it, as it is.
 *
 * @param request.hash - of the document's text; `document` is what that text says, and validates.
 */
export type Authorize = (request: {
  readonly hash: string
  readonly document: DocumentNode
  readonly operationName: string | null
  readonly principal: Principal
}) => Authorization | null

/**
 * An operation's distinct requirements are read once. What is left of it depends on which of them are met, and on
 * nothing else of the caller; decisions that depend on arguments have no place in here.
 */
export function createAuthorize(options: {
  readonly schema: GraphQLSchema
  readonly rules: Readonly<Record<string, FieldRule>>
}): Authorize {
  // A gateway's schema has resolvers of its own, which would answer in place of those of `completeAnswer`.
  const schema = buildSchema(printSchema(options.schema), { assumeValid: true })
  const ruleOf = readRules(options.rules)
  const requirements = new LRUCache<string, readonly FieldRule[]>({
    max: 5000,
    maxSize: 5_000_000,
    sizeCalculation: (rules, key) => key.length + rules.length + 1,
  })
  const authorizations = new LRUCache<string, Authorization>({ max: 1000, maxSize: 1_000_000 })

  function requirementsOf(key: string, document: DocumentNode, operationName: string | null): readonly FieldRule[] {
    const known = requirements.get(key)
    if (known) return known
    const found = new Set<FieldRule>()
    const decide = (rule: FieldRule) => {
      found.add(rule)
      return null
    }
    filterOperation({ schema, document, operationName, ruleOf, decide })
    const rules = [...found]
    requirements.set(key, rules)
    return rules
  }

  function filter(
    document: DocumentNode,
    operationName: string | null,
    codes: ReadonlyMap<FieldRule, DenialCode | null>,
  ): Authorization {
    const decide = (rule: FieldRule) => codes.get(rule) ?? null
    const filtered = filterOperation({ schema, document, operationName, ruleOf, decide })
    const allowed = filtered.document && describe(filtered.document)
    const { variableDefinitions = [] } = operationOf(document, operationName)
    const { denials, removed } = filtered
    return {
      allowed,
      denials,
      async answer(rawVariables, run) {
        // As if nothing were removed: what is wrong with the request does not depend on who makes it.
        const { errors, coerced } = getVariableValues(schema, variableDefinitions, rawVariables)
        if (errors) return { errors }
        const result = allowed ? await run(allowed, variablesOf(allowed, rawVariables)) : { data: {} }
        const parts = { schema, document, operationName, denials, removed }
        return completeAnswer({ ...parts, rawVariables, variables: coerced, result })
      },
    }
  }

  return ({ hash, document, operationName, principal }) => {
    const key = `${hash} ${operationName ?? ''}`
    const rules = requirementsOf(key, document, operationName)
    let met = ''
    let isAllMet = true
    for (const rule of rules) {
      const code = denialOf(rule, principal)
      met += code === null ? '+' : letters[code]
      isAllMet &&= code === null
    }
    if (isAllMet) return null
    const filteredKey = `${key} ${met}`
    const known = authorizations.get(filteredKey)
    if (known) return known
    const codes = new Map(rules.map((rule) => [rule, denialOf(rule, principal)]))
    const authorization = filter(document, operationName, codes)
    const size = filteredKey.length + (document.loc?.end ?? 0) + (authorization.allowed?.source.length ?? 0) + 1
    authorizations.set(filteredKey, authorization, { size })
    return authorization
  }
}

const letters: Readonly<Record<DenialCode, string>> = {
  UNAUTHENTICATED: 'a',
  UNAUTHORIZED_FIELD_OR_TYPE: 'u',
  AGENT_DENIED: 'd',
  APPROVAL_REQUIRED: 'p',
}

function describe(document: DocumentNode): AuthorizedOperation {
  const source = print(document)
  const key = createHash('sha256').update(source).digest('hex')
  return { document, operation: operationOf(document, null), source, key }
}

/** Values of variables that are no longer declared are not passed on. */
function variablesOf(
  { operation: { variableDefinitions = [] } }: AuthorizedOperation,
  variables: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const names = variableDefinitions.map(({ variable }) => variable.name.value)
  return Object.fromEntries(
    names.flatMap((name) => (Object.hasOwn(variables, name) ? [[name, variables[name]] as const] : [])),
  )
}
