// What resolvers have of types of the schema, where it is not what a client sees.
import type { ApprovalState } from '@behalf/identity'

export interface Approval {
  readonly id: string
  readonly subject: string
  readonly delegationId: string
  readonly agent: string
  readonly tool: string
  readonly argumentsHash: string
  readonly summary: string
  readonly createdAt: Date
  readonly expiresAt: Date
  readonly state: ApprovalState
}
