// What resolvers have of types of the schema, where it is not what a client sees.

export interface Transfer {
  readonly id: string
  readonly userId: string
  readonly payeeId: string
  readonly amount: string
  readonly currency: string
  readonly balanceAfter: string
  readonly bookedAt: Date
}
