/** What one thing costs as another grows. */
export interface GrowthRow {
  /** What grows, such as `tools`. */
  readonly of: string
  /** What is measured. */
  readonly what: string
  readonly unit: string
  readonly costs: readonly { readonly size: number; readonly cost: number }[]
  /** How it has to grow: not at all, with the size, or with the size and a little (sorting, an index). */
  readonly expected: 'no' | 'as it'
}

/** Collects costs, size after size. */
export function createRows(of: string) {
  const rows = new Map<
    string,
    { what: string; unit: string; expected: GrowthRow['expected']; costs: { size: number; cost: number }[] }
  >()
  return {
    add(size: number, what: string, unit: string, expected: GrowthRow['expected'], cost: number): void {
      const row = rows.get(`${what}, ${unit}`) ?? { what, unit, expected, costs: [] }
      row.costs.push({ size, cost })
      rows.set(`${what}, ${unit}`, row)
      console.log(`${size} ${of}: ${what} ${cost.toFixed(2)} ${unit}`)
    },
    all: (): GrowthRow[] => Array.from(rows.values(), (row) => ({ of, ...row })),
  }
}
