import { type ErrorCode, errorTable } from '@behalf/identity'
import type { GraphQLSchema } from 'graphql'
import type { Explored } from '../explore/explore-subgraph.ts'
import { type RawAnswer, send } from '../send.ts'
import { readAnswer, type SignedRequest, type TestCaller, type TestAnswer } from '../test-caller.ts'
import type { TestClaims } from '../test-principal.ts'

/** What is attacked: a running subgraph with rows of two owners. */
export interface Target {
  readonly name: string
  /** Of `POST /graphql`. */
  readonly url: string
  /** What the gateway has: for attackers who hold more than they should. */
  readonly rootKey: string
  readonly schema: GraphQLSchema
  readonly mine: Party
  readonly theirs: Party
  /** Everybody who is not `mine`; `sameTenant` says whether rows of the tenant are theirs, too. */
  readonly others: readonly { readonly caller: TestCaller; readonly sameTenant: boolean }[]
  /** Every scope that the schema knows. */
  readonly scopes: readonly string[]
  /** What can be found as `mine`. */
  readonly explored: Explored
  /** A mutation that succeeds each time it is sent anew; null where there are none. */
  readonly mutation: Operation | null
  anonymous(): TestCaller
  /** What in the database would be a way around row-level security. */
  violations(): Promise<string[]>
  /** All rows of the subgraph, and what it says it has performed, as a text to be compared. */
  state(): Promise<string>
  /** Runs `work` while the database holds nothing back. */
  withoutRowSecurity<R>(work: () => Promise<R>): Promise<R>
}

/** One of the two owners of rows. */
export interface Party {
  /** With other claims than they would have, if they are given. */
  as(claims?: TestClaims): TestCaller
  /** Texts in the rows of this owner, and in nobody else's. */
  readonly secrets: ReadonlySet<string>
}

export interface Operation {
  readonly query: string
  readonly variables?: Readonly<Record<string, unknown>>
}

/** One way to do harm. A subgraph that withstands it answers what is acceptable, and refuses what is not. */
export interface Attack {
  readonly name: string
  /** The promise that would be broken. */
  readonly promise: 'P1' | 'P4' | 'P6' | 'P7' | 'P8' | 'P3'
  /** The code it is refused with; null where nothing is said, as if there were nothing. */
  readonly code: ErrorCode | null
  /** What is tried, for those who read of it. */
  readonly about: string
  /** Whether a schema has anything that could be attacked like this. Default: any has. */
  readonly applies?: (schema: GraphQLSchema) => boolean
  /** @throws {Breach} where it succeeds, or where its acceptable twin does not. */
  readonly withstand: (target: Target) => Promise<void>
}

/** What the kit found. The message is for the team whose subgraph it is. */
export class Breach extends Error {
  override readonly name = 'Breach'
}

/** An attack by requests that differ from what the gateway would have sent. */
interface RequestAttack extends Omit<Attack, 'code' | 'withstand' | 'applies'> {
  readonly code: ErrorCode
  /** Of all operations, or of mutations only. */
  readonly on?: 'mutation'
  /** Whether the request itself was received before. */
  readonly repeated?: true
  /** Sends each of the requests, made from one that would be answered. */
  readonly requests: (signed: SignedRequest, target: Target, operation: Operation) => Promise<RawAnswer>[]
}

/**
 * Each request has to be refused as a whole, with HTTP status and code, and nothing executed: of a mutation the
 * database shows that. The twin is the request as it should be, which is answered, and of a mutation recorded.
 */
export function requestAttack({ on, repeated, requests, ...attack }: RequestAttack): Attack {
  return {
    ...attack,
    ...(on && { applies: hasMutations }),
    async withstand(target) {
      const { mutation, explored, mine } = target
      if (mutation === null && hasMutations(target.schema))
        throw new Breach('No mutation succeeds with made-up arguments: say one as `mutation`.')
      const operations = [...(on ? [] : [{ query: explored.query }]), ...(mutation ? [mutation] : [])]
      for (const operation of operations) {
        const hasChanged = await watch(target)
        const twin = await mine.as().run(operation.query, operation.variables)
        if (twin.status !== 200 || twin.errors.length > 0)
          throw new Breach(`The request itself is not answered: ${JSON.stringify(twin)}`)
        if (!(await hasChanged()) && operation === mutation)
          throw new Breach('The mutation itself left no trace: that it was not executed could not be seen.')

        const signed = mine.as().signed(operation.query, operation.variables)
        if (repeated) {
          await send(target.url, signed)
          await hasChanged()
        }
        for (const answer of await Promise.all(requests(signed, target, operation))) requireRefusal(attack, answer)
        if (await hasChanged()) throw new Breach(`${attack.name}: refused, and executed all the same.`)
      }
    },
  }
}

const hasMutations = (schema: GraphQLSchema) => Object.keys(schema.getMutationType()?.getFields() ?? {}).length > 0

function requireRefusal({ name, code }: { name: string; code: ErrorCode }, answer: RawAnswer): void {
  const { status } = errorTable[code]
  const { errors, data } = readRefusal(answer)
  if (answer.status !== status || errors[0]?.extensions.code !== code || data !== null)
    throw new Breach(`${name} should be refused with ${status} ${code}, and got ${answer.status} ${answer.body}`)
}

function readRefusal(answer: RawAnswer): Pick<TestAnswer, 'errors' | 'data'> {
  try {
    return readAnswer(answer)
  } catch {
    return { errors: [], data: null }
  }
}

/** @returns whether anything in the database is another than when it was last asked */
export async function watch({ state }: Pick<Target, 'state'>): Promise<() => Promise<boolean>> {
  let last = await state()
  return async () => {
    const before = last
    last = await state()
    return last !== before
  }
}
