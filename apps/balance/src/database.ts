/** Tables of the schema `balance`, as migrations/ makes them. Amounts are exact decimal texts. */
export interface Database {
  accounts: {
    id: string
    user_id: string
    currency: string
    balance: string
  }
  entries: {
    id: string
    account_id: string
    amount: string
    balance_after: string
    kind: 'DEPOSIT' | 'WITHDRAWAL' | 'PAYMENT' | 'REFUND' | 'TRANSFER'
    description: string
    counterparty: string | null
    transfer: string | null
    booked_at: Date
  }
  payees: {
    id: string
    user_id: string
    name: string
    account_id: string
  }
}
