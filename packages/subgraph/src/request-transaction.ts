import type { BoundTransaction, Effect } from '@behalf/postgres'

/** The transaction of one request, with what GraphQL adds to it: Mutation fields that fail alone, and an end. */
export class RequestTransaction<Tables> {
  readonly db: BoundTransaction<Tables>['db']
  readonly #bound: BoundTransaction<Tables>
  /** Makes the running Mutation field durable so far; null where none runs, or where it already did. */
  #commitField: (() => Promise<void>) | null = null
  #hasEffect = false
  #isDurable = false

  constructor(bound: BoundTransaction<Tables>) {
    this.#bound = bound
    this.db = bound.db
  }

  /** Whether a Mutation field succeeded, or made something durable. */
  get hasEffect(): boolean {
    return this.#hasEffect
  }

  /** Whether it failed only because of others at the same time, and none of it is left. */
  get mayBeRepeated(): boolean {
    return this.#bound.conflicted && !this.#isDurable
  }

  perform<R>(effect: Effect, work: () => Promise<R>): Promise<R> {
    return this.#bound.perform(effect, work)
  }

  async commit(): Promise<void> {
    this.#hasEffect = true
    await (this.#commitField?.() ?? this.#bound.commit())
    // Not before: what others kept from being serialized may turn out only here, and then nothing of it is left.
    this.#isDurable = true
  }

  /**
   * Runs one Mutation field: if it fails, what it did is undone, back to its beginning or to its last commit.
   * Mutation fields run one after another (GraphQL, section 6.2.2), so that is only its own.
   */
  async field<R>(work: () => Promise<R>): Promise<R> {
    const result = Promise.withResolvers<R>()
    const asked = Promise.withResolvers<void>()
    const committed = Promise.withResolvers<void>()
    committed.promise.catch(() => undefined)
    let isCommitted = false
    this.#commitField = () => {
      this.#commitField = null
      isCommitted = true
      asked.resolve()
      return committed.promise
    }
    try {
      // A savepoint cannot outlive its transaction, so it ends before the commit, and the field goes on without it.
      await this.#bound.savepoint(() => {
        work().then(result.resolve, result.reject)
        return Promise.race([result.promise, asked.promise])
      })
      if (isCommitted) await this.#bound.commit()
      committed.resolve()
      const value = await result.promise
      this.#hasEffect = true
      return value
    } catch (error) {
      committed.reject(error)
      if (isCommitted) await this.#bound.rollback()
      throw error
    } finally {
      this.#commitField = null
    }
  }

  /** Gives the connection back. What was not committed is undone, and later queries are refused. Never throws. */
  async end(): Promise<void> {
    await this.#bound.end()
  }
}
