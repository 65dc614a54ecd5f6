/** Tables of the schema `lab`, as migrations/ makes them. Values are exact decimal texts. */
export interface Database {
  results: {
    id: string
    patient: string
    practice: string
    taken_at: Date
    test: string
    value: string
    unit: string
  }
}
