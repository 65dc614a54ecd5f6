declare const principalBrand: unique symbol
declare const identityBrand: unique symbol

/** A value of an identity fact, as it travels in a context token. */
export type FactValue = string | number | boolean | readonly string[]

/** Identity facts by name, such as `{ tier: 'premium' }`. */
export type Facts = Readonly<Record<string, FactValue>>

/** Who acts when it is not the user: a model's run, or a program with a user's token. */
export interface Actor {
  /** The agent, such as `assistant`, or an OAuth client. */
  readonly agent: string
  /** The delegation it acts under, `dlg_...`; null for an `act` claim that came with a token. */
  readonly delegation: string | null
  readonly run: string | null
  readonly tool: string | null
  /** The tool call; the key under which an effect in a database is recorded once. */
  readonly call: string | null
  /** `txn` of the request that started the run. */
  readonly parent: string | null
}

/** The subject of callers without a credential. It owns nothing and holds no scope. */
export const anonymousSubject = 'anonymous'

/** What is known of whoever calls, on both sides of the gateway. */
export interface Caller {
  /** `usr_...`, or {@link anonymousSubject}. */
  readonly subject: string
  /** Null only for anonymous callers. */
  readonly tenant: string | null
  readonly scopes: readonly string[]
  readonly facts: Facts
  /** OAuth client the user came through; null for anonymous callers. */
  readonly client: string | null
  /** When the user signed in, in seconds since the epoch. */
  readonly authTime: number | null
  /** How strongly the user signed in (OpenID Connect Core, section 2). */
  readonly acr: string | null
  /** Null for a human. */
  readonly actor: Actor | null
}

/**
 * Who is calling, in the gateway only, after the credential was verified and dropped.
 * It comes out of `authenticate` or `principalFromDelegation` and nowhere else; deeply frozen.
 */
export interface Principal extends Caller {
  readonly [principalBrand]: true
  /** Issuer of the credential; null for anonymous callers. */
  readonly issuer: string | null
  /** The issuer's session (`sid`), for logout; null where the issuer names none. */
  readonly session: string | null
  /** When the user's credential was issued, in seconds since the epoch, be it the one that a delegation came of; null for anonymous callers. */
  readonly issuedAt: number | null
  /** When the credential or delegation ends, in seconds since the epoch; null for anonymous callers. */
  readonly expiresAt: number | null
}

const outside = Symbol('outside')

/** The same caller in one call of a tool, as {@link outsideCall} finds them again: in all else nothing changes with it. */
export function inCall(principal: Principal, call: string): Principal {
  const { actor } = principal
  if (actor === null) throw new TypeError('A person does not call tools.')
  const made = { ...principal, actor: Object.freeze({ ...actor, call }) }
  // Where no copy takes it along: what is changed in that is not known here.
  return Object.freeze(Object.defineProperty(made, outside, { value: principal }))
}

/** The caller of a call, without it; any other principal as it is. For what is kept of callers longer than for a call. */
export const outsideCall = (principal: Principal): Principal =>
  (principal as { readonly [outside]?: Principal })[outside] ?? principal

/** What a receiver behind the gateway was told. Only a verified context token makes one; deeply frozen. */
export interface Identity extends Caller {
  readonly [identityBrand]: true
  /** UUIDv7 of the incoming request, the same on every hop. */
  readonly txn: string
  /** The user's approval of exactly this mutation by an agent. */
  readonly approval: Approval | null
}

export interface Approval {
  readonly id: string
  /** The Mutation field it was given for. */
  readonly field: string
}

/** The three kinds of GraphQL operation. */
export type OperationType = 'query' | 'mutation' | 'subscription'

/** The fields of a branded type, for the one place that may add the brand. */
export type Unbranded<T> = { [K in keyof T as K extends string ? K : never]: T[K] }

/** Freezes `value`, which holds nothing that holds it, and everything in it. */
export function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    Object.freeze(value)
    Object.values(value).forEach(deepFreeze)
  }
  return value
}
